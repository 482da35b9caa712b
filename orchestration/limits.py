"""What CloudFormation takes: told when a pipeline is synthesized, not by a deployment that was refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

MOST_RESOURCES = 500
MOST_BYTES = 1024 * 1024


class TooLargeError(ValueError):
    """A template of a pipeline is larger than CloudFormation takes."""


def check_size(folder: Path) -> None:
    """Raise TooLargeError where a template of the cloud assembly in a folder cannot be deployed."""
    complaints = [complaint for path in sorted(_templates(folder)) for complaint in _complaints(path.read_bytes())]
    if complaints:
        raise TooLargeError(
            "\n".join(complaints) + "\nDeploy the pipeline as several: tables that no mart reads together can live in "
            "folders of their own, each of which is a pipeline."
        )


def _templates(folder: Path) -> Iterator[Path]:
    """Yield the templates that the assembly's manifest leads to: others lie there from what was synthesized before."""
    for artifact in json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["artifacts"].values():
        if artifact["type"] == "cdk:asset-manifest":
            assets = json.loads((folder / artifact["properties"]["file"]).read_text(encoding="utf-8"))
            paths = (entry["source"].get("path", "") for entry in assets["files"].values())
            yield from (folder / path for path in paths if path.endswith(".template.json"))


def _complaints(template: bytes) -> list[str]:
    loaded = json.loads(template)
    name, resources = loaded.get("Description", "A template"), len(loaded.get("Resources", {}))
    found = []
    if resources > MOST_RESOURCES:
        found.append(f"{name}: {resources} resources are more than CloudFormation takes in a stack ({MOST_RESOURCES}).")
    if len(template) > MOST_BYTES:
        found.append(f"{name}: {len(template):,} bytes are more than CloudFormation takes ({MOST_BYTES:,}).")
    return found
