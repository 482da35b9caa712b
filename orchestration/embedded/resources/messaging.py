"""Queues' and topics' policies, and subscriptions."""

from __future__ import annotations

import json

from orchestration.embedded.resources.teaching import Client, Made, Properties
from orchestration.embedded.resources.teaching import teach as teach_type


def teach() -> None:
    """Teach AWS::SQS::QueuePolicy, AWS::SNS::TopicPolicy and AWS::SNS::Subscription."""
    teach_type("AWS::SQS::QueuePolicy", _make_queue_policy, _drop_nothing)
    teach_type("AWS::SNS::TopicPolicy", _make_topic_policy, _drop_nothing)
    teach_type("AWS::SNS::Subscription", _make_subscription, _drop_subscription)


def _make_queue_policy(name: str, properties: Properties, client: Client) -> Made:
    for url in properties["Queues"]:
        client("sqs").set_queue_attributes(
            QueueUrl=url, Attributes={"Policy": json.dumps(properties["PolicyDocument"])}
        )
    return Made(name)


def _make_topic_policy(name: str, properties: Properties, client: Client) -> Made:
    for arn in properties["Topics"]:
        client("sns").set_topic_attributes(
            TopicArn=arn, AttributeName="Policy", AttributeValue=json.dumps(properties["PolicyDocument"])
        )
    return Made(name)


def _drop_nothing(_name: str, _properties: Properties, _client: Client) -> None:
    """A policy goes with its queue or topic."""


def _make_subscription(_name: str, properties: Properties, client: Client) -> Made:
    made = client("sns").subscribe(
        TopicArn=properties["TopicArn"],
        Protocol=properties["Protocol"],
        Endpoint=properties["Endpoint"],
        ReturnSubscriptionArn=True,
    )
    return Made(made["SubscriptionArn"])


def _drop_subscription(name: str, _properties: Properties, client: Client) -> None:
    client("sns").unsubscribe(SubscriptionArn=name)
