"""Glue jobs of one kind in a stack of their own: a stack holds 500 resources, and its template a megabyte."""

from __future__ import annotations

from collections.abc import Iterable

from aws_cdk import CfnParameter, NestedStack
from constructs import Construct, IDependable


class JobStack(NestedStack):
    """Holds jobs that share `spark_conf`: it comes in once, and each job refers to it."""

    def __init__(
        self, scope: Construct, construct_id: str, *, description: str, spark_conf: str, after: Iterable[IDependable]
    ) -> None:
        super().__init__(scope, construct_id, description=description, parameters={"SparkConf": spark_conf})
        self.spark_conf = CfnParameter(self, "SparkConf", description="What Glue takes as --conf").value_as_string
        come_after(self, after)


def come_after(stack: NestedStack, others: Iterable[IDependable]) -> None:
    """Let a nested stack be made when the others are there."""
    made = stack.nested_stack_resource
    assert made is not None, "a nested stack is a resource of the stack around it"
    made.node.add_dependency(*others)
