"""The CDK app: settings and contracts become one stack. Synth needs no network and no credentials.

Context: `env` (dev, prod) and `pipeline`, the name of a folder in contracts/ or the path of one elsewhere. `quicksight`
and `sagemaker` add a stack each.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from aws_cdk import App, Environment

from contracts.compile import ContractError, compile_plan
from contracts.model import Plan
from orchestration.limits import TooLargeError, check_size
from orchestration.pipeline_stack import PipelineStack
from orchestration.quicksight import QuickSightStack
from orchestration.sagemaker import SageMakerStack
from orchestration.settings import FEATURE_FLAGS, Settings, SettingsError

ROOT = Path(__file__).resolve().parent


def build_stack(app: App, root: Path, build: Path) -> PipelineStack:
    """Add the stack of the pipeline that the context names; `build` is where assets are assembled."""
    settings = Settings.from_context(app.node)
    account, region = os.environ.get("CDK_DEFAULT_ACCOUNT"), os.environ.get("CDK_DEFAULT_REGION")
    env = Environment(account=account, region=region) if account else None
    plan = compile_plan(root / "contracts" / settings.folder).in_environment(settings.env)
    stack = PipelineStack(app, settings.stack_name, settings=settings, plan=plan, root=root, build=build, env=env)
    add_view_stacks(app, stack, settings, plan, root, env)
    return stack


def add_view_stacks(
    app: App, stack: PipelineStack, settings: Settings, plan: Plan, root: Path, env: Environment | None = None
) -> None:
    """Add what a setting turns on: QuickSight, SageMaker."""
    readers, workgroup = stack.views.readers, stack.views.workgroup.name
    shared: dict[str, Any] = {
        "settings": settings,
        "plan": plan,
        "readers": readers,
        "workgroup": workgroup,
        "env": env,
    }
    if settings.quicksight:
        QuickSightStack(app, f"{settings.stack_name}-quicksight", **shared)
    if settings.sagemaker:
        SageMakerStack(app, f"{settings.stack_name}-sagemaker", root=root, **shared)


def main() -> None:
    """Synthesize into cdk.out, or where the CDK command line says (CDK_OUTDIR)."""
    app = App(context=FEATURE_FLAGS, outdir=os.environ.get("CDK_OUTDIR", "cdk.out"), analytics_reporting=False)
    with tempfile.TemporaryDirectory() as build:
        try:
            build_stack(app, ROOT, Path(build))
            check_size(Path(app.synth().directory))
        except (ContractError, SettingsError, TooLargeError) as mistake:
            sys.exit(str(mistake))


if __name__ == "__main__":
    main()
