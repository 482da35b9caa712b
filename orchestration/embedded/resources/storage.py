"""Buckets: versions, access, lifecycle, logging, notifications; and their policies."""

from __future__ import annotations

import json
from typing import Any

from moto.s3.models import FakeBucket

from orchestration.embedded.resources.teaching import Client, Made, Properties, extend
from orchestration.embedded.resources.teaching import teach as teach_type


def teach() -> None:
    """Teach AWS::S3::Bucket's properties and AWS::S3::BucketPolicy."""
    extend(FakeBucket, _configure)
    teach_type("AWS::S3::BucketPolicy", _make_policy, _drop_policy)


def _configure(bucket: Any, properties: Properties, client: Client) -> None:
    s3, name = client("s3"), bucket.name
    if rules := properties.get("VersioningConfiguration"):
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration=rules)
    if block := properties.get("PublicAccessBlockConfiguration"):
        s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=block)
    if controls := properties.get("OwnershipControls"):
        s3.put_bucket_ownership_controls(Bucket=name, OwnershipControls=controls)
    if lifecycle := properties.get("LifecycleConfiguration"):
        rules = {"Rules": [_lifecycle_rule(rule) for rule in lifecycle["Rules"]]}
        s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration=rules)
    if logging := properties.get("LoggingConfiguration"):
        # The policy that lets S3 deliver comes after the bucket; moto's PutBucketLogging wants it before.
        prefix = logging.get("LogFilePrefix", "")
        bucket.logging = {"TargetBucket": logging["DestinationBucketName"], "TargetPrefix": prefix}
    if notification := properties.get("NotificationConfiguration"):
        queues = [
            {"QueueArn": one["Queue"], "Events": [one["Event"]]} for one in notification.get("QueueConfigurations", ())
        ]
        s3.put_bucket_notification_configuration(Bucket=name, NotificationConfiguration={"QueueConfigurations": queues})


def _lifecycle_rule(rule: Properties) -> Properties:
    """Return a rule as the API words it."""
    made: Properties = {"ID": rule["Id"], "Status": rule["Status"], "Filter": {"Prefix": rule.get("Prefix", "")}}
    expiration: Properties = {}
    if "ExpirationInDays" in rule:
        expiration["Days"] = rule["ExpirationInDays"]
    if "ExpiredObjectDeleteMarker" in rule:
        expiration["ExpiredObjectDeleteMarker"] = rule["ExpiredObjectDeleteMarker"]
    if expiration:
        made["Expiration"] = expiration
    if "Transitions" in rule:
        made["Transitions"] = [
            {"Days": one["TransitionInDays"], "StorageClass": one["StorageClass"]} for one in rule["Transitions"]
        ]
    for name in ("AbortIncompleteMultipartUpload", "NoncurrentVersionExpiration"):
        if name in rule:
            made[name] = rule[name]
    return made


def _make_policy(_name: str, properties: Properties, client: Client) -> Made:
    bucket = properties["Bucket"]
    client("s3").put_bucket_policy(Bucket=bucket, Policy=json.dumps(properties["PolicyDocument"]))
    return Made(bucket)


def _drop_policy(name: str, _properties: Properties, client: Client) -> None:
    s3 = client("s3")
    try:
        s3.delete_bucket_policy(Bucket=name)
    except s3.exceptions.NoSuchBucket:
        return
