"""`landfall land`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from orchestration.embedded.cli.options import Places


class Instant(click.ParamType[datetime]):
    """An ISO 8601 time; one without a zone is UTC."""

    name = "time"

    def convert(self, value: str | datetime, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            instant = datetime.fromisoformat(value)
            return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is not a time such as 2013-01-02T05:00:00Z.", param, ctx)


@click.command(short_help="Put files into the raw bucket.")
@click.argument(
    "files", nargs=-1, required=True, metavar="FILE…", type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--key", metavar="KEY", help="The object's key, for one file.")
@click.option("--prefix", metavar="PREFIX", help="Land every file as PREFIX/<file name>.")
@click.option("--table", metavar="TABLE", help="Land every file under the prefix of this table's contract.")
@click.option("--at", type=Instant(), metavar="TIME", help="The S3 event's time, ISO 8601; default: now.")
@click.pass_obj
def land(
    places: Places,
    files: tuple[Path, ...],
    key: str | None,
    prefix: str | None,
    table: str | None,
    at: datetime | None,
) -> None:
    """Put files into the raw bucket; events fire as on S3, and `landfall run` works on them.

    Without --key, --prefix or --table a file's key is the part of its path that begins with a table's prefix.
    """
    from orchestration.embedded.cli.access import opened
    from orchestration.embedded.cli.keys import KeyChoice, whose
    from orchestration.embedded.cli.pipeline import load_plan

    plan = load_plan(places.pipeline)
    keys = KeyChoice(key, prefix, table).keys(list(files), plan)
    with opened(places) as cloud:
        for file, name in zip(files, keys, strict=True):
            try:
                cloud.land(file, name, at=at)
            except OSError as error:
                raise click.ClickException(f"{file} cannot be landed: {error.strerror}") from error
            click.echo(f"{name}  {whose(name, plan)}")
