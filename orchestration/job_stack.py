"""Glue jobs of one kind in a stack of their own: a stack holds 500 resources, and its template a megabyte."""

from __future__ import annotations

from collections.abc import Iterable

from aws_cdk import CfnParameter, CfnResource, NestedStack
from constructs import Construct


class JobStack(NestedStack):
    """Holds jobs that share `spark_conf`: it comes in once, and each job refers to it."""

    def __init__(
        self, scope: Construct, construct_id: str, *, description: str, spark_conf: str, after: Iterable[CfnResource]
    ) -> None:
        super().__init__(scope, construct_id, description=description, parameters={"SparkConf": spark_conf})
        self.spark_conf = CfnParameter(self, "SparkConf", description="What Glue takes as --conf").value_as_string
        come_after(self, after)


def come_after(stack: NestedStack, resources: Iterable[CfnResource]) -> None:
    """Let a nested stack be made when these resources are there."""
    made = stack.nested_stack_resource
    assert made is not None, "a nested stack is a resource of the stack around it"
    for resource in resources:
        made.add_resource_dependency(resource)
