"""Contract files as written: YAML with the line of every field, checked against the JSON Schemas."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from referencing import Registry, Resource

SCHEMAS = Path(__file__).parent / "schema"
Path_ = tuple[str | int, ...]


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


def dotted(path: Iterable[str | int]) -> str:
    """Return a path as people write it, e.g. `schema.columns[2].type`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text or "(file)"


def nearest(word: str, allowed: Iterable[str]) -> str:
    """Return ` (did you mean x?)` when an allowed word is near, else ''."""
    close = difflib.get_close_matches(str(word), list(allowed), n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def one_of(word: object, allowed: Iterable[str]) -> str:
    """Return the message of a word that is not among the allowed ones."""
    words = sorted(allowed)
    return f"{word!r} is not one of {', '.join(words) or '(none)'}{nearest(str(word), words)}"


def read(path: Path, root: Path, schema: str) -> tuple[Document | None, list[Mistake]]:
    """Read one contract file; the document is None when it cannot be worked with further."""
    name = path.relative_to(root.parent).as_posix() if root.parent in path.parents else str(path)
    try:
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=_Loader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error)
        return None, [Mistake(name, mark.line + 1 if mark else 1, "(file)", f"is no YAML: {problem}")]
    if not isinstance(node, yaml.MappingNode):
        return None, [Mistake(name, 1, "(file)", "must hold fields such as `table: orders`")]
    lines: dict[Path_, int] = {}
    twice = list(_walk(node, (), lines))
    document = Document(name, path.parent, yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader), lines)
    mistakes = [document.mistake("stands twice", *field_path) for field_path in twice]
    errors = list(_validator(schema).iter_errors(document.data))
    mistakes += [m for error in errors for m in _schema_mistakes(document, error)]
    return document, mistakes


def _walk(node: yaml.Node, path: Path_, lines: dict[Path_, int]) -> Iterator[Path_]:
    """Fill `lines`; yield the paths of keys that stand twice."""
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for key, value in node.value:
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


def _schema_mistakes(document: Document, error: ValidationError) -> Iterator[Mistake]:
    path = tuple(error.absolute_path)
    schema: Any = error.schema
    instance: Any = error.instance
    match error.validator:
        case "additionalProperties":
            known = schema.get("properties", {})
            for name in sorted(set(instance) - set(known)):
                yield document.mistake(f"is no field here; allowed: {_near_first(name, known)}", *path, name)
        case "required":
            missing = [name for name in schema["required"] if name not in instance]
            yield document.mistake(f"lacks {', '.join(missing)}", *path)
        case "enum":
            yield document.mistake(one_of(error.instance, (str(w) for w in schema["enum"] if w is not None)), *path)
        case "minProperties" | "maxProperties":
            names = ", ".join(schema["properties"])
            yield document.mistake(f"must hold exactly one of {names}", *path)
        case "type":
            yield document.mistake(f"{error.instance!r} is no {schema['type']}", *path)
        case "pattern":
            yield document.mistake(f"{error.instance!r} does not match {schema['pattern']}", *path)
        case "oneOf":
            yield document.mistake(f"{error.instance!r} is neither a share such as 1% nor a count", *path)
        case _:
            yield document.mistake(error.message, *path)


def _near_first(word: str, known: Iterable[str]) -> str:
    return ", ".join(sorted(known)) + nearest(word, known)
