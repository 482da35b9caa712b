"""What CloudFormation takes: told when a pipeline is synthesized, not by a deployment that was refused."""

from __future__ import annotations

import json
from pathlib import Path

MOST_RESOURCES = 500
MOST_BYTES = 1024 * 1024


class TooLargeError(ValueError):
    """A template of a pipeline is larger than CloudFormation takes."""


def check_size(folder: Path) -> None:
    """Raise TooLargeError where a template in a cloud assembly's folder cannot be deployed."""
    complaints = [
        complaint for path in sorted(folder.glob("*.template.json")) for complaint in _complaints(path.read_bytes())
    ]
    if complaints:
        raise TooLargeError(
            "\n".join(complaints) + "\nDeploy the pipeline as several: tables that no mart reads together can live in "
            "folders of their own, each of which is a pipeline."
        )


def _complaints(template: bytes) -> list[str]:
    loaded = json.loads(template)
    name, resources = loaded.get("Description", "A template"), len(loaded.get("Resources", {}))
    found = []
    if resources > MOST_RESOURCES:
        found.append(f"{name}: {resources} resources are more than CloudFormation takes in a stack ({MOST_RESOURCES}).")
    if len(template) > MOST_BYTES:
        found.append(f"{name}: {len(template):,} bytes are more than CloudFormation takes ({MOST_BYTES:,}).")
    return found
