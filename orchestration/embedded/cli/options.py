"""Options that every command has, accepted before the command's name and after it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import click

DEFAULT_PIPELINE = Path("contracts/nycflights")
DEFAULT_LAKE = Path(".landfall")


@dataclass(frozen=True)
class Places:
    """The pipeline's contracts and the lake that its tables lie in."""

    pipeline: Path
    lake: Path

    def options(self) -> list[str]:
        """Return the options that name these places, those left out that are the defaults."""
        pipeline = [] if self.pipeline == DEFAULT_PIPELINE else ["--pipeline", str(self.pipeline)]
        return pipeline + ([] if self.lake == DEFAULT_LAKE else ["--lake", str(self.lake)])


class GlobalOptionsGroup(click.Group):
    """A group whose own options may also stand after the name of a command."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, self._moved_to_front(args))

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        cmd.epilog = cmd.epilog or f"{self._names()} may stand here too: see landfall --help."
        super().add_command(cmd, name)

    def _global_options(self) -> set[str]:
        return {name for p in self.params if isinstance(p, click.Option) and not p.is_flag for name in p.opts}

    def _names(self) -> str:
        return " and ".join(sorted(self._global_options(), reverse=True))

    def _moved_to_front(self, args: Iterable[str]) -> list[str]:
        """Return the arguments with the group's options first; UsageError when one lacks its value."""
        moved: list[str] = []
        kept: list[str] = []
        names = self._global_options()
        rest = iter(args)
        for arg in rest:
            if arg == "--":
                kept += [arg, *rest]
            elif arg in names:
                value = next(rest, None)
                if value is None:
                    raise click.UsageError(f"Option '{arg}' requires an argument.")
                moved += [arg, value]
            elif arg.partition("=")[0] in names:
                moved.append(arg)
            else:
                kept.append(arg)
        return moved + kept
