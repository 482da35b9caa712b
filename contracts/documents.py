"""Contract files as written: YAML with the line of every field, checked against the JSON Schemas."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from contracts.wording import Path_, dotted, schema_messages

SCHEMAS = Path(__file__).parent / "schema"


@dataclass(frozen=True, order=True)
class Mistake:
    """One mistake in one contract file; its text is `file:line: field: message`."""

    file: str
    line: int
    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.field}: {self.message}"


@dataclass(frozen=True)
class Document:
    """One contract file: its data, and the line of each field by path."""

    file: str
    folder: Path
    data: dict[str, Any]
    lines: dict[Path_, int] = field(default_factory=dict)

    def line(self, *path: str | int) -> int:
        """Return the line of the field, or of the nearest field around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def mistake(self, message: str, *path: str | int) -> Mistake:
        return Mistake(self.file, self.line(*path), dotted(path), message)


class _Loader(yaml.SafeLoader):
    """YAML with the booleans of version 1.2: `on`, `off`, `yes` and `no` are words."""

    yaml_implicit_resolvers = {  # noqa: RUF012 (its type is the base class's)
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), ["t", "f"])


def read(path: Path, root: Path, schema: str) -> tuple[Document | None, list[Mistake]]:
    """Read one contract file; the document is None when it cannot be worked with further."""
    name = path.relative_to(root.parent).as_posix() if root.parent in path.parents else str(path)
    try:
        text = path.read_text(encoding="utf-8")
        node = yaml.compose(text, Loader=_Loader)
        lines: dict[Path_, int] = {}
        twice = list(_walk(node, (), lines)) if node else []
        data = yaml.load(text, Loader=_Loader)
    except UnicodeDecodeError as error:
        return None, [Mistake(name, 1, "(file)", f"is not written in UTF-8 (byte {error.start})")]
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error)
        return None, [Mistake(name, mark.line + 1 if mark else 1, "(file)", f"is no YAML: {problem}")]
    if not isinstance(data, dict):
        word = schema.partition(".")[0]
        return None, [Mistake(name, 1, "(file)", f"must hold fields such as `{word}: orders`")]
    document = Document(name, path.parent, data, lines)
    mistakes = [document.mistake("stands twice", *field_path) for field_path in twice]
    errors = list(_validator(schema).iter_errors(document.data))
    mistakes += [document.mistake(message, *place) for error in errors for place, message in schema_messages(error)]
    return document, mistakes


def _walk(node: yaml.Node, path: Path_, lines: dict[Path_, int]) -> Iterator[Path_]:
    """Fill `lines`; yield the paths of keys that stand twice."""
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a field's name is no word", key.start_mark)
            inner = (*path, str(key.value))
            if key.value in seen:
                yield inner
            seen.add(key.value)
            lines[inner] = key.start_mark.line + 1
            yield from _walk(value, inner, lines)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield from _walk(value, (*path, index), lines)


@cache
def _validator(schema: str) -> Draft202012Validator:
    documents = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in SCHEMAS.glob("*.json")}
    registry: Registry[Any] = Registry().with_resources(
        [(name, Resource.from_contents(content)) for name, content in documents.items()]
    )
    return Draft202012Validator(documents[schema], registry=registry)
