"""Contract files as written: YAML with the line of every field, checked against the JSON Schemas."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from referencing import Registry, Resource

from contracts.wording import Path_, dotted, meant, schema_messages

SCHEMAS = Path(__file__).parent / "schema"
_DEEPEST = 3  # so many times words are taken for those that they are near to
# Sections that nothing else in a contract depends on.
_ALONE = (
    "capacity",
    "checks",
    "description",
    "freshness",
    "limits",
    "on_bad_key",
    "on_duplicate_key",
    "on_failed_file",
)


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
    """One contract file: its data, the line of each field by path, and whether its schema accepts it.

    A word that the schema refuses is taken for the one that it is near to, or left out of the data where nothing else
    depends on it: the rest can then be looked at.
    """

    file: str
    folder: Path
    data: dict[str, Any]
    lines: dict[Path_, int] = field(default_factory=dict)
    is_sound: bool = True

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

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """Return a node's value; of one that looks like a date or number and is none, YAML fails with all of these."""
        try:
            return super().construct_object(node, deep)
        except (ArithmeticError, AttributeError, LookupError, ValueError) as error:
            word = f"{node.value!r} is no {node.tag.rpartition(':')[2]} (text stands between quotes)"
            raise yaml.constructor.ConstructorError(None, None, word, node.start_mark) from error


_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), ["t", "f"])


def read(path: Path, root: Path, schema: str) -> tuple[Document | None, list[Mistake]]:
    """Read one contract file; the document is None when it cannot be worked with further."""
    name = path.relative_to(root.parent).as_posix() if root.parent in path.parents else str(path)
    try:
        text = path.read_text(encoding="utf-8")
        loader = _Loader(text)
        node = loader.get_single_node()
        lines: dict[Path_, int] = {}
        twice = list(_walk(node, (), lines)) if node else []
        data = loader.construct_document(node) if node else None
    except OSError as error:
        return None, [Mistake(name, 1, "(file)", f"cannot be read: {error.strerror}")]
    except UnicodeDecodeError as error:
        return None, [Mistake(name, 1, "(file)", f"is not written in UTF-8 (byte {error.start})")]
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error)
        return None, [Mistake(name, mark.line + 1 if mark else 1, "(file)", f"is no YAML: {problem}")]
    if not isinstance(data, dict):
        word = schema.partition(".")[0]
        return None, [Mistake(name, 1, "(file)", f"must hold fields such as `{word}: orders`")]
    document = Document(name, path.parent, data, lines)
    mistakes = [document.mistake("stands twice", *field_path) for field_path in twice]
    for _ in range(_DEEPEST):
        errors = list(_validator(schema).iter_errors(document.data))
        refused = [(error, *told) for error in errors for told in schema_messages(error)]
        mistakes += [document.mistake(message, *place) for _, place, message in refused]
        taken = _as_meant(document, errors)
        if taken is None:
            break
        document = taken
    if mistakes:
        rest = _without(document.data, [place for error, place, _ in refused if _stands_alone(error, place)])
        document = replace(document, data=rest, is_sound=_validator(schema).is_valid(rest))
    return document, list(dict.fromkeys(mistakes))


def _as_meant(document: Document, errors: Sequence[ValidationError]) -> Document | None:
    """Return the document with what its author will have meant by refused words, as far as one is near; else None.

    The mistakes are told all the same: the rest of the contract can be looked at as it will be when they are gone.
    """
    data, lines = deepcopy(document.data), dict(document.lines)
    for error in errors:
        place, wanted, rules = tuple(error.absolute_path), error.validator_value, error.schema
        if isinstance(wanted, list) and error.validator == "enum" and (word := meant(error.instance, map(str, wanted))):
            _at(data, place[:-1])[place[-1]] = word
        elif isinstance(rules, Mapping) and error.validator == "additionalProperties":
            group, known = _at(data, place), rules["properties"]
            for name in [name for name in group if name not in known]:
                if (word := meant(name, known)) and word not in group:
                    group[word] = group.pop(name)
                    lines |= _renamed(lines, (*place, name), (*place, word))
    return None if data == document.data else replace(document, data=data, lines=lines)


def _at(data: Any, place: Path_) -> Any:
    for step in place:
        data = data[step]
    return data


def _renamed(lines: Mapping[Path_, int], old: Path_, new: Path_) -> dict[Path_, int]:
    return {(*new, *path[len(old) :]): line for path, line in lines.items() if path[: len(old)] == old}


def _stands_alone(error: ValidationError, place: Path_) -> bool:
    """Tell whether the rest of a contract means the same without what the schema refuses."""
    return error.validator == "additionalProperties" or (bool(place) and place[0] in _ALONE)


def _without(data: dict[str, Any], places: Iterable[Path_]) -> dict[str, Any]:
    """Return a copy without the fields at these places; a section that holds one in a list goes whole."""
    rest = deepcopy(data)
    for place in places:
        cut = place[:1] if place[0] in _ALONE else place
        _at(rest, cut[:-1]).pop(cut[-1], None)
    return rest


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
