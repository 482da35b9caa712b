"""The small evaluator of IAM policies that tests of the laptop's cloud hold calls to."""

from __future__ import annotations

import pytest

from tests.pipeline.policies import Need, applies

OBJECT = "arn:aws:s3:::lake/shop_dev_mart/orders/data/a.parquet"


@pytest.mark.parametrize(
    ("action", "resource", "condition", "applied"),
    [
        ("s3:GetObject", "arn:aws:s3:::lake/*", {}, True),
        ("s3:getobject", ["arn:aws:s3:::other/*", OBJECT], {}, True),
        (["s3:PutObject", "s3:Get*"], "*", {}, True),
        ("s3:GetObject", "arn:aws:s3:::lake", {}, False),
        ("s3:GetObject", "arn:aws:s3:::lake/shop_dev_mart/order?/*", {}, True),
        ("s3:GetObject", "arn:aws:s3:::lake/[a-z]*", {}, False),
        ("s3:PutObject", "*", {}, False),
        ("s3:GetObject", "*", {"StringEquals": {"aws:SourceAccount": "1"}}, False),
        ("s3:GetObject", "*", {"StringEquals": {"dynamodb:LeadingKeys": ["TABLE#a", "TABLE#b"]}}, True),
        ("s3:GetObject", "*", {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["TABLE#b"]}}, False),
        ("s3:GetObject", "*", {"ForAllValues:StringEquals": {"aws:TagKeys": ["a"]}}, True),
        ("s3:GetObject", "*", {"StringLike": {"dynamodb:LeadingKeys": "TABLE#*"}}, True),
    ],
)
def test_a_statement_applies_by_action_resource_and_condition(action, resource, condition, applied):
    statement = {"Effect": "Allow", "Action": action, "Resource": resource, "Condition": condition}
    need = Need("s3:GetObject", OBJECT, {"dynamodb:LeadingKeys": ("TABLE#a",)})
    assert applies(statement, need) == applied


def test_a_statement_of_another_form_is_not_passed_over():
    with pytest.raises(KeyError, match="NotAction"):
        applies({"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}, Need("s3:GetObject", OBJECT))
