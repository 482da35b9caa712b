"""Ingestion: the raw bucket tells a queue, the queue calls receive_files, and what fails is kept."""

from __future__ import annotations

from aws_cdk import Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as event_sources
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from orchestration.settings import Settings

_MAX_RECEIVES = 5
_BATCH_SIZE = 100


class Ingestion(Construct):
    """Queue and dead-letter queue between the raw bucket and receive_files."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        raw: s3.Bucket,
        receive_files: lambda_.Function,
    ) -> None:
        super().__init__(scope, construct_id)
        self.dead_letters = self._build_dead_letters()
        self.queue = self._build_queue(receive_files.timeout or Duration.seconds(3), settings)
        self._notify(raw)
        self._feed(receive_files, settings)

    def _build_dead_letters(self) -> sqs.Queue:
        return sqs.Queue(
            self,
            "DeadLetters",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=Duration.days(14),
        )

    def _build_queue(self, receive_timeout: Duration, settings: Settings) -> sqs.Queue:
        """A message is hidden six times as long as its handler may run, and while events gather, as Lambda asks for."""
        hidden = 6 * int(receive_timeout.to_seconds()) + settings.batch_window_seconds
        return sqs.Queue(
            self,
            "Landings",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=Duration.days(14),
            visibility_timeout=Duration.seconds(hidden),
            dead_letter_queue=sqs.DeadLetterQueue(queue=self.dead_letters, max_receive_count=_MAX_RECEIVES),
        )

    def _notify(self, raw: s3.Bucket) -> None:
        """Send the bucket's events to the queue by the bucket's own property: no custom resource, no Lambda.

        S3 tries the queue when the bucket is made: the policy comes first and names only the account.
        """
        self.queue.add_to_resource_policy(
            iam.PolicyStatement(
                sid="TheRawBucketTellsWhatLands",
                principals=[iam.ServicePrincipal("s3.amazonaws.com")],
                actions=["sqs:SendMessage"],
                resources=[self.queue.queue_arn],
                conditions={"StringEquals": {"aws:SourceAccount": Stack.of(self).account}},
            )
        )
        bucket = raw.node.default_child
        policy = self.queue.node.find_child("Policy").node.default_child
        assert isinstance(bucket, s3.CfnBucket) and isinstance(policy, sqs.CfnQueuePolicy)
        bucket.notification_configuration = s3.CfnBucket.NotificationConfigurationProperty(
            queue_configurations=[
                s3.CfnBucket.QueueConfigurationProperty(event="s3:ObjectCreated:*", queue=self.queue.queue_arn)
            ]
        )
        bucket.add_resource_dependency(policy)

    def _feed(self, receive_files: lambda_.Function, settings: Settings) -> None:
        receive_files.add_event_source(
            event_sources.SqsEventSource(
                self.queue,
                batch_size=_BATCH_SIZE,
                max_batching_window=Duration.seconds(settings.batch_window_seconds),
                max_concurrency=10,
                report_batch_item_failures=True,
            )
        )
