"""The CDK app: settings and contracts become one stack. Synth needs no network and no credentials."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from aws_cdk import App, Environment
from contracts.compile import compile_plan

from orchestration.pipeline_stack import PipelineStack
from orchestration.settings import FEATURE_FLAGS, Settings

ROOT = Path(__file__).parent


def build_app(app: App, root: Path, build: Path) -> PipelineStack:
    """Add the stack of the pipeline that the context names; `build` is where assets are assembled."""
    settings = Settings.from_context(app.node)
    return PipelineStack(
        app,
        settings.stack_name,
        settings=settings,
        plan=compile_plan(root / "contracts" / settings.pipeline),
        root=root,
        build=build,
        env=Environment(
            account=os.environ.get("CDK_DEFAULT_ACCOUNT"), region=os.environ.get("CDK_DEFAULT_REGION")
        ),
    )


def main() -> None:
    """Synthesize into cdk.out, or where the CDK command line says."""
    app = App(context=FEATURE_FLAGS)
    with tempfile.TemporaryDirectory() as build:
        build_app(app, ROOT, Path(build))
        app.synth()


if __name__ == "__main__":
    main()
