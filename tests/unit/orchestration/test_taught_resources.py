"""Resource types that production has and the laptop's template has not, in a stack of their own."""

from __future__ import annotations

import json

import boto3
from moto import mock_aws

from orchestration.embedded.resources import teach_moto

SCHEDULE = {
    "Description": "by night",
    "ScheduleExpression": "cron(0 3 * * ? *)",
    "FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 60},
    "Target": {
        "Arn": "arn:aws:states:eu-west-1:123456789012:stateMachine:m",
        "RoleArn": "arn:aws:iam::123456789012:role/r",
        "Input": "{}",
        "RetryPolicy": {"MaximumEventAgeInSeconds": 21600, "MaximumRetryAttempts": 10},
    },
}


def test_a_schedule_is_kept_as_the_template_has_it_and_goes_with_its_stack():
    with mock_aws():
        teach_moto()
        cloudformation, scheduler = boto3.client("cloudformation"), boto3.client("scheduler")
        body = {"Resources": {"Nightly": {"Type": "AWS::Scheduler::Schedule", "Properties": SCHEDULE}}}
        cloudformation.create_stack(StackName="s", TemplateBody=json.dumps(body))
        [resource] = cloudformation.describe_stack_resources(StackName="s")["StackResources"]
        kept = scheduler.get_schedule(Name=resource["PhysicalResourceId"])
        assert {name: kept[name] for name in SCHEDULE} == SCHEDULE
        cloudformation.delete_stack(StackName="s")
        assert scheduler.list_schedules()["Schedules"] == []
