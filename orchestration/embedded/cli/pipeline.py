"""The pipeline that the command line works on: its folder, and its compiled contracts."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from contracts.compile import ContractError
    from contracts.model import Plan


def require_folder(pipeline: Path) -> Path:
    """Return the folder; UsageError when it does not exist."""
    if not pipeline.is_dir():
        raise click.UsageError(f"there is no pipeline folder {pipeline}; name one with --pipeline DIR.")
    return pipeline


def load_plan(pipeline: Path) -> Plan:
    """Return the compiled contracts; UsageError tells all their mistakes."""
    from contracts.compile import ContractError, compile_plan

    try:
        return compile_plan(require_folder(pipeline))
    except ContractError as error:
        raise mistaken(pipeline, error) from error


def mistaken(pipeline: Path, error: ContractError) -> click.UsageError:
    """Return the usage error that tells all mistakes of the contracts."""
    return click.UsageError(f"the contracts in {pipeline} hold mistakes:\n{located(pipeline, error)}")


def located(pipeline: Path, error: ContractError) -> str:
    """Return the mistakes, a line each, with paths that can be opened from here."""
    above = pipeline.resolve().parent
    return "\n".join(str(replace(one, file=os.path.relpath(above / one.file))) for one in error.mistakes)
