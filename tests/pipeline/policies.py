"""IAM's evaluation, as far as the template goes: statements of a role's policies against an action on a resource."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

Context = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Need:
    """What a call needs: an action on a resource, and the condition keys that the call has."""

    action: str
    resource: str
    context: Context = field(default_factory=dict, hash=False)


class Policies:
    """The policies of one role, inline and managed."""

    def __init__(self, iam: Any, role: str) -> None:
        documents = [
            iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
            for name in iam.list_role_policies(RoleName=role)["PolicyNames"]
        ]
        for attached in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
            version = iam.get_policy(PolicyArn=attached["PolicyArn"])["Policy"]["DefaultVersionId"]
            found = iam.get_policy_version(PolicyArn=attached["PolicyArn"], VersionId=version)
            documents.append(found["PolicyVersion"]["Document"])
        self.statements = [one for document in documents for one in listed(_loaded(document)["Statement"])]

    def allow(self, need: Need) -> bool:
        """Tell whether a statement allows what is needed and none denies it."""
        effects = {one["Effect"] for one in self.statements if applies(one, need)}
        return effects == {"Allow"}


def applies(statement: Mapping[str, Any], need: Need) -> bool:
    """Tell whether a statement is about what is needed; one that this does not understand raises KeyError."""
    unknown = set(statement) - {"Sid", "Effect", "Action", "Resource", "Condition"}
    if unknown:
        raise KeyError(f"{', '.join(sorted(unknown))} in {statement}")
    return (
        any(_is_like(need.action.lower(), pattern.lower()) for pattern in listed(statement["Action"]))
        and any(_is_like(need.resource, pattern) for pattern in listed(statement["Resource"]))
        and all(
            _holds(operator, set(listed(values)), need.context.get(key))
            for operator, keys in statement.get("Condition", {}).items()
            for key, values in keys.items()
        )
    )


def _holds(operator: str, wanted: set[str], values: tuple[str, ...] | None) -> bool:
    """Evaluate a condition; a key that the call has not meets ForAllValues alone."""
    every, _, plain = operator.rpartition(":")
    if values is None:
        return every == "ForAllValues"
    compare = {"StringEquals": str.__eq__, "StringLike": _is_like, "ArnEquals": _is_like}[plain]
    return all(any(compare(value, one) for one in wanted) for value in values)


def _is_like(text: str, pattern: str) -> bool:
    return _pattern(pattern).fullmatch(text) is not None


@cache
def _pattern(pattern: str) -> re.Pattern[str]:
    """Compile a pattern in which * stands for any text and ? for one character."""
    return re.compile("".join({"*": ".*", "?": "."}.get(c, re.escape(c)) for c in pattern), re.DOTALL)


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _loaded(document: Any) -> Mapping[str, Any]:
    loaded: Mapping[str, Any] = json.loads(document) if isinstance(document, str) else document
    return loaded


def missing(policies: Mapping[str, Policies], needs: Iterable[tuple[str, Need]]) -> list[str]:
    """Return `role: action on resource` of what is needed and not allowed, once each."""
    found = {f"{role}: {need.action} on {need.resource}" for role, need in needs if not policies[role].allow(need)}
    return sorted(found)
