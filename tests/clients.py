"""boto3 clients that tests share: making one takes longer than most tests, and each test has a moto of its own."""

from __future__ import annotations

from functools import cache

import boto3

client = cache(boto3.client)
