"""Job arguments, read as AWS Glue reads them."""

from __future__ import annotations

import argparse
from typing import NoReturn

_KEPT = ("mode", "debug", "endpoint")  # names that Glue keeps for itself


class GlueArgumentError(Exception):
    """An argument that the script asks for is missing."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise GlueArgumentError(message)


def getResolvedOptions(args: list[str], options: list[str]) -> dict[str, str]:  # noqa: N802 (Glue's name)
    """Return the values of the options; arguments that no option names are passed over."""
    parser = _Parser(add_help=False)
    for option in options:
        if option in _KEPT:
            raise GlueArgumentError(f"--{option} is an argument of Glue's own: a script must not use it")
        parser.add_argument(f"--{option}", required=True)
    parsed, _ = parser.parse_known_args(args[1:])
    return dict(vars(parsed))
