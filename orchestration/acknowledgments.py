"""Acknowledges a finding of the AwsSolutions rules beside the resource, with the reason for it."""

from __future__ import annotations

from aws_cdk import Acknowledgment, Validations
from constructs import IConstruct


def acknowledge(construct: IConstruct, rule: str, reason: str) -> None:
    """Acknowledge a rule of the AwsSolutions pack, e.g. `S1`, or one finding, e.g. `IAM5[Resource::*]`."""
    Validations.of(construct).acknowledge(Acknowledgment(id=f"AwsSolutions::AwsSolutions-{rule}", reason=reason))
