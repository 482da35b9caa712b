"""Grants by hand: exact actions on exact resources, and a reason wherever a resource ends in a star."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aws_cdk import Stack
from aws_cdk import aws_iam as iam

from orchestration.acknowledgments import acknowledge
from orchestration.groups import groups

_MOST_RESOURCES = 20  # a policy holds 6144 characters, and CDK spreads statements over policies, but divides none


class UnreasonedWildcardError(ValueError):
    """A grant has a wildcard in a resource and no reason for it."""


def allow(
    role: iam.IRole | iam.ManagedPolicy,
    actions: Sequence[str],
    resources: Sequence[str],
    why_star: str = "",
    conditions: Mapping[str, Any] | None = None,
) -> None:
    """Add a statement to a role or a policy; `why_star` is the reason of a wildcard and acknowledges that finding."""
    for some in groups(resources, _MOST_RESOURCES):
        statement = iam.PolicyStatement(actions=list(actions), resources=list(some), conditions=conditions)
        if isinstance(role, iam.ManagedPolicy):
            role.add_statements(statement)
        else:
            role.add_to_principal_policy(statement)
    for resource in resources:
        text = _readable(Stack.of(role).resolve(resource))
        if "*" in text and not why_star:
            raise UnreasonedWildcardError(f"{role.node.path}: no reason for the wildcard in {text}")
        if "*" in text:
            acknowledge(role, f"IAM5[Resource::{text}]", why_star)


def _readable(resource: Any) -> str:
    """Write a resource as cdk-nag names it: `<LogicalId.Arn>/*`, `arn:<AWS::Partition>:…`."""
    match resource:
        case str():
            return resource
        case {"Ref": name}:
            return f"<{name}>"
        case {"Fn::GetAtt": [name, attribute]}:
            return f"<{name}.{attribute}>"
        case {"Fn::Join": [separator, parts]}:
            return str(separator).join(_readable(part) for part in parts)
        case {"Fn::Sub": str() as text}:
            return text.replace("${", "<").replace("}", ">")
    raise TypeError(f"no readable form for {resource!r}")
