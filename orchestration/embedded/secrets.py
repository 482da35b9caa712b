"""The secrets of a lake: what Secrets Manager holds, kept from one command to the next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def dump(client: Any) -> dict[str, str]:
    """Return every secret's text by its name."""
    pages = client.get_paginator("list_secrets").paginate()
    names = [secret["Name"] for page in pages for secret in page["SecretList"]]
    return {name: client.get_secret_value(SecretId=name)["SecretString"] for name in names}


def restore(client: Any, secrets: Mapping[str, str]) -> None:
    """Put back what `dump` returned."""
    for name, text in secrets.items():
        client.create_secret(Name=name, SecretString=text)
