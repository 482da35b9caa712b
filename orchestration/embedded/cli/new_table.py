"""`landfall new-table`."""

from __future__ import annotations

import shlex
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import click

from orchestration.embedded.cli.options import Places

if TYPE_CHECKING:
    from contracts.new_table import Draft
    from contracts.samples import Sample


@click.command("new-table", short_help="Write a table's contract from a sample file.")
@click.option(
    "--from",
    "file",
    required=True,
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="CSV, JSON Lines, JSON, XML or Parquet, packed or not.",
)
@click.option(
    "--key", metavar="COLUMN[,COLUMN]", help="The columns that tell rows apart; default: found by uniqueness."
)
@click.option("--name", metavar="TABLE", help="The table's name; default: from the file's.")
@click.option("--prefix", metavar="PREFIX", help="The prefix of the table's files; default: TABLE/.")
@click.option("--force", is_flag=True, help="Write over a contract that is there.")
@click.pass_obj
def new_table(places: Places, file: Path, key: str | None, name: str | None, prefix: str | None, force: bool) -> None:
    """Write a table's contract from a sample file, ready to check and to run.

    Types are inferred from at most 100,000 records, and a key is proposed: the fewest columns whose values are unique.
    """
    from contracts.new_table import NoKeyError, NoNameError, draft, to_yaml
    from contracts.samples import SampleError, read_sample

    keys = [word.strip() for word in (key or "").split(",") if word.strip()]
    try:
        found = draft(read_sample(file, read_parquet), file, name or "", prefix or "", keys)
    except (NoKeyError, NoNameError, SampleError) as error:
        raise click.UsageError(str(error)) from error
    path = places.pipeline / "tables" / f"{found.table}.yaml"
    if path.exists() and not force:
        raise click.UsageError(f"{path} is there already; write over it with --force, or choose another --name.")
    path.parent.mkdir(parents=True, exist_ok=True)
    text = to_yaml(found, path.parent.resolve())
    path.write_text(text, encoding="utf-8")
    click.echo(text, nl=False)
    _say_what_next(places, found, file, path)


def _say_what_next(places: Places, found: Draft, file: Path, path: Path) -> None:
    from orchestration.embedded.cli.outcome import landfall

    where = ["--table", found.table]
    if found.dated not in ("", file.name):  # the date stands in a folder, which the key must have too
        where = ["--prefix", str(PurePosixPath(found.prefix, found.dated).parent)]
    click.echo(f"\n{path} is written. Read it, then:", err=True)
    for words in (["check"], ["land", *where, str(file)], ["run"]):
        click.echo(f"  {landfall(places)} {shlex.join(words)}", err=True)


def read_parquet(file: Path, most: int) -> Sample:
    """Read a sample of a Parquet file, with the types that its schema says; what jobs cannot read is left out."""
    from py4j.protocol import Py4JJavaError

    from contracts.samples import Sample, SampleError
    from orchestration.embedded.session import borrowed_session
    from spark_jobs.layers.errors import first_words
    from spark_jobs.layers.staging.readers.parquet_reader import typed
    from spark_jobs.layers.staging.session import configure

    with borrowed_session() as spark:
        try:
            frame, unknown = typed(configure(spark), file.resolve().as_uri())
            if unknown and not frame.columns:
                raise SampleError(f"{file}: cannot be read as parquet: {unknown[0]}")
            rows = tuple(row.asDict(recursive=True) for row in frame.limit(most).collect())
        except Py4JJavaError as error:
            raise SampleError(f"{file}: cannot be read as parquet: {first_words(error)}") from error
        types = {field.name: field.dataType.simpleString() for field in frame.schema.fields}
    left_out = tuple(error.column for error in unknown)
    return Sample("parquet", tuple(frame.columns), rows, types=types, left_out=left_out)
