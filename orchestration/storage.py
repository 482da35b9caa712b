"""Buckets: one for each layer, one for what a run needs beside it, one for access logs."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Duration
from aws_cdk import aws_s3 as s3
from constructs import Construct

from orchestration.acknowledgments import acknowledge
from orchestration.settings import Settings

CLAIMS_PREFIX = "claims/"
EXTRACTS_PREFIX = "extracts/"
BATCHES_PREFIX = "batches/"
RESULTS_PREFIX = "query-results/"
OPERATORS_PREFIX = "operators-query-results/"
MAINTENANCE_PREFIX = "maintenance/"
_CLAIM_DAYS = 7
_EXTRACT_DAYS = 1
_RESULT_DAYS = 7
_BATCH_DAYS = 400
_ACCESS_LOG_DAYS = 90


class Storage(Construct):
    """The buckets of a pipeline: encrypted, private, TLS only, versioned."""

    def __init__(self, scope: Construct, construct_id: str, settings: Settings) -> None:
        super().__init__(scope, construct_id)
        self._settings = settings
        self.access_logs = self._build_access_logs()
        self.raw = self._build_raw()
        self.staging = self._build_lake("Staging", self._passing_rules())
        self.mart = self._build_lake("Mart", self._results_rules())
        self.artifacts = self._build_lake("Artifacts", self._reports_rules())

    def _build_raw(self) -> s3.Bucket:
        """What came is kept: old versions too, because a batch reads the version it claimed."""
        return self._bucket(
            "Raw",
            [
                s3.LifecycleRule(
                    id="cheaper-when-cold",
                    transitions=[
                        s3.Transition(
                            storage_class=s3.StorageClass.INTELLIGENT_TIERING,
                            transition_after=Duration.days(30),
                        )
                    ],
                )
            ],
        )

    def _build_lake(self, construct_id: str, rules: Sequence[s3.LifecycleRule]) -> s3.Bucket:
        """Deleted files can be brought back for some days, then they go."""
        days = Duration.days(self._settings.noncurrent_days)
        recoverable = s3.LifecycleRule(
            id="gone-for-good", noncurrent_version_expiration=days, expired_object_delete_marker=True
        )
        return self._bucket(construct_id, [recoverable, *rules])

    def _passing_rules(self) -> Sequence[s3.LifecycleRule]:
        """Copies that batches read, and files of extractions before they land, are of no use once that is done."""
        return (
            self._expire("old-claims", CLAIMS_PREFIX, _CLAIM_DAYS),
            self._expire("old-extracts", EXTRACTS_PREFIX, _EXTRACT_DAYS),
        )

    def _results_rules(self) -> Sequence[s3.LifecycleRule]:
        return (
            self._expire("old-query-results", RESULTS_PREFIX, _RESULT_DAYS),
            self._expire("old-operators-results", OPERATORS_PREFIX, _RESULT_DAYS),
        )

    def _reports_rules(self) -> Sequence[s3.LifecycleRule]:
        """Manifests, results and what maintenance did are kept for a year and some days."""
        return (
            self._expire("old-batches", BATCHES_PREFIX, _BATCH_DAYS),
            self._expire("old-maintenance", MAINTENANCE_PREFIX, _BATCH_DAYS),
        )

    def _build_access_logs(self) -> s3.Bucket:
        bucket = s3.Bucket(
            self,
            "AccessLogs",
            encryption=s3.BucketEncryption.S3_MANAGED,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            enforce_ssl=True,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            removal_policy=self._settings.removal_policy,
            lifecycle_rules=[s3.LifecycleRule(id="old-logs", expiration=Duration.days(_ACCESS_LOG_DAYS))],
        )
        acknowledge(bucket, "S1", "The bucket holds the access logs of the others; its own would log the logging.")
        return bucket

    def _bucket(self, construct_id: str, rules: Sequence[s3.LifecycleRule]) -> s3.Bucket:
        return s3.Bucket(
            self,
            construct_id,
            versioned=True,
            encryption=s3.BucketEncryption.S3_MANAGED,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            enforce_ssl=True,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            server_access_logs_bucket=self.access_logs,
            server_access_logs_prefix=f"{construct_id.lower()}/",
            removal_policy=self._settings.removal_policy,
            lifecycle_rules=[
                s3.LifecycleRule(id="broken-uploads", abort_incomplete_multipart_upload_after=Duration.days(3)),
                *rules,
            ],
        )

    @staticmethod
    def _expire(rule: str, prefix: str, days: int) -> s3.LifecycleRule:
        """Objects of a prefix go after some days, for good: what they copy is elsewhere."""
        return s3.LifecycleRule(
            id=rule,
            prefix=prefix,
            expiration=Duration.days(days),
            noncurrent_version_expiration=Duration.days(1),
        )
