"""Compile a pipeline's folder into its plan, or tell every mistake in it at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from contracts.check_rules import check_references
from contracts.connections import build_connection, check_connection, check_extract
from contracts.deployment_rules import PIPELINE_NAME, check_crawled, check_deployment, check_policies, is_pipeline_name
from contracts.documents import Document, Mistake, read
from contracts.marts import Draft, build_mart, check_mart, draft_mart
from contracts.model import Connection, Plan, Table
from contracts.presets import expanded
from contracts.table_rules import check_table
from contracts.tables import build_table


class ContractError(ValueError):
    """The contracts of a pipeline hold mistakes; `mistakes` holds all of them."""

    def __init__(self, mistakes: list[Mistake]) -> None:
        super().__init__("\n".join(str(mistake) for mistake in mistakes))
        self.mistakes = mistakes


@dataclass(frozen=True)
class Compiled:
    """A pipeline's plan, and the files that its tables and marts were read from, by their names."""

    plan: Plan
    documents: dict[str, Document]


def compile_plan(folder: Path) -> Plan:
    """Return the plan of the contracts in `tables/` and `marts/` of a folder; ContractError names all mistakes."""
    return compile_documents(folder).plan


def compile_documents(folder: Path) -> Compiled:
    """Return the plan with the files it comes from, for who has more to say of them; ContractError as above."""
    compiled, mistakes = _compile(folder)
    if compiled is None:
        raise ContractError(mistakes)
    return compiled


def check(folder: Path) -> list[Mistake]:
    """Return every mistake of a pipeline, by file and line, that can be told without Spark."""
    return _compile(folder)[1]


def _compile(folder: Path) -> tuple[Compiled | None, list[Mistake]]:
    folder = folder.resolve()
    mistakes: list[Mistake] = []
    if not is_pipeline_name(folder.name):
        mistakes.append(Mistake(folder.name, 1, "(folder)", f"its name {folder.name!r} must be {PIPELINE_NAME}"))
    sound, table_names = _read_tables(folder, mistakes)
    tables = {table.name: table for _, table in sound}
    connections, connection_names = _read_connections(folder, mistakes)
    for document, table in sound:
        mistakes += check_extract(document, table, connection_names)
    for document, table in sound:
        mistakes += check_references(document, table, tables, whole=len(sound) == table_names)
    drafts, mart_names = _read_marts(folder, mistakes)
    mistakes += _check_names(sound, drafts)
    mistakes += check_deployment((document for document, _ in sound), "table")
    mistakes += check_crawled(sound)
    mistakes += check_policies(sound)
    mistakes += check_deployment((draft.document for draft in drafts), "mart")
    if not table_names:
        mistakes.append(Mistake(folder.name, 1, "tables", "holds no contract: write tables/<table>.yaml"))
    whole = len(sound) == table_names and len(drafts) == mart_names
    by_name = {draft.name: draft for draft in drafts}
    for draft in drafts:  # where a file is unsound, what reads it would only seem wrong
        if whole or {"", *tables, *by_name}.issuperset(draft.reads):
            mistakes += check_mart(draft, tables, by_name)
    mistakes += _check_cycles({name: draft for name, draft in by_name.items() if name not in tables})
    if mistakes:
        return None, sorted(set(mistakes))
    marts = {name: build_mart(by_name[name], tables, by_name) for name in sorted(by_name)}
    complete = {name: expanded(table) for name, table in sorted(tables.items())}
    documents = {table.name: document for document, table in sound} | {draft.name: draft.document for draft in drafts}
    return Compiled(Plan(folder.name, complete, marts, connections=connections), documents), []


def _read_tables(folder: Path, mistakes: list[Mistake]) -> tuple[list[tuple[Document, Table]], int]:
    sound = []
    paths = sorted([*folder.glob("tables/*.yaml"), *folder.glob("tables/*.yml")])
    for path in paths:
        document, found = read(path, folder, "table.schema.json")
        mistakes += found
        if document is not None and document.is_sound:
            table = build_table(document)
            mistakes += check_table(document, table)
            sound.append((document, table))
    return sound, len(paths)


def _read_connections(folder: Path, mistakes: list[Mistake]) -> tuple[dict[str, Connection], set[str]]:
    """Return the sound connections, and the names of all."""
    connections, names = {}, set()
    for path in sorted([*folder.glob("connections/*.yaml"), *folder.glob("connections/*.yml")]):
        document, found = read(path, folder, "connection.schema.json")
        mistakes += found
        if document is None:
            continue
        name = str(document.data.get("connection", ""))
        if name in names:
            mistakes.append(document.mistake(f"{name} is already the name of another connection", "connection"))
        names.add(name)
        if document.is_sound:
            connections[name] = build_connection(document)
            mistakes += check_connection(document, connections[name])
    return dict(sorted(connections.items())), names


def _read_marts(folder: Path, mistakes: list[Mistake]) -> tuple[list[Draft], int]:
    drafts = []
    paths = sorted([*folder.glob("marts/*.yaml"), *folder.glob("marts/*.yml")])
    for path in paths:
        document, found = read(path, folder, "mart.schema.json")
        mistakes += found
        if document is not None and document.is_sound:
            draft, wrong = draft_mart(document)
            mistakes += wrong
            drafts.append(draft)
    return drafts, len(paths)


def _check_names(sound: list[tuple[Document, Table]], drafts: list[Draft]) -> Iterator[Mistake]:
    owners: dict[str, list[tuple[Document, str]]] = defaultdict(list)
    prefixes: dict[str, list[Document]] = defaultdict(list)
    for document, table in sound:
        owners[table.name].append((document, "table"))
        prefixes[table.source.prefix].append(document)
    for draft in drafts:
        owners[draft.name].append((draft.document, "mart"))
    for name, holders in owners.items():
        for document, field in holders[1:]:
            yield document.mistake(f"{name} is already the name of {holders[0][0].file}", field)
    for prefix, documents in prefixes.items():
        for document in documents[1:]:
            message = f"{prefix!r} is already the prefix of {documents[0].file}; the longest prefix wins"
            yield document.mistake(message, "source", "prefix")


def _check_cycles(by_name: dict[str, Draft]) -> Iterator[Mistake]:
    for draft in by_name.values():
        path = _way_back(draft.name, by_name)
        if path:
            yield draft.document.mistake(f"reads itself: {' <- '.join(path)}", "mart")


def _way_back(start: str, by_name: dict[str, Draft]) -> list[str]:
    paths = [[start]]
    seen = set()
    while paths:
        path = paths.pop()
        for name in by_name[path[-1]].reads:
            if name == start:
                return [*path, start]
            if name in by_name and name not in seen:
                seen.add(name)
                paths.append([*path, name])
    return []
