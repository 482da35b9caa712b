"""The topic that tells people: failures from notify_failure, alarms from CloudWatch."""

from __future__ import annotations

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from orchestration.settings import Settings


class Notifications(Construct):
    """An encrypted SNS topic, and a mail subscription where the setting `alarm_email` names one."""

    def __init__(self, scope: Construct, construct_id: str, settings: Settings) -> None:
        super().__init__(scope, construct_id)
        self.key = self._build_key(settings)
        self.topic = self._build_topic(settings)

    def _build_key(self, settings: Settings) -> kms.Key:
        """A key of our own: CloudWatch alarms cannot publish under SNS's."""
        key = kms.Key(
            self,
            "Key",
            description=f"Landfall {settings.stem}: notifications",
            enable_key_rotation=True,
            removal_policy=settings.removal_policy,
        )
        key.add_to_resource_policy(
            iam.PolicyStatement(
                sid="AlarmsPublishEncrypted",
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["kms:Decrypt", "kms:GenerateDataKey*"],
                resources=["*"],
                conditions={"StringEquals": {"aws:SourceAccount": Stack.of(self).account}},
            )
        )
        return key

    def _build_topic(self, settings: Settings) -> sns.Topic:
        topic = sns.Topic(
            self, "Topic", display_name=f"Landfall {settings.stem}", master_key=self.key, enforce_ssl=True
        )
        self._admit_alarms(topic)
        if settings.alarm_email:
            topic.add_subscription(subscriptions.EmailSubscription(settings.alarm_email))
        return topic

    def _admit_alarms(self, topic: sns.Topic) -> None:
        """A topic with a policy of its own has lost the one that let the account's services publish."""
        alarms = Stack.of(self).format_arn(
            service="cloudwatch", resource="alarm", resource_name="*", arn_format=ArnFormat.COLON_RESOURCE_NAME
        )
        topic.add_to_resource_policy(
            iam.PolicyStatement(
                sid="AlarmsPublish",
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["sns:Publish"],
                resources=[topic.topic_arn],
                conditions={"ArnLike": {"aws:SourceArn": alarms}},
            )
        )
