"""The resource types and properties of the template that moto's CloudFormation passes over, made through boto3."""

from __future__ import annotations

import functools


@functools.cache
def teach_moto() -> None:
    """Teach moto; to be called before its CloudFormation makes its first resource."""
    from moto.cloudformation import parsing

    from orchestration.embedded.resources import (
        catalog_views,
        encryption,
        functions,
        jobs,
        ledger,
        messaging,
        monitoring,
        scheduling,
        storage,
        views,
        workflow,
    )

    for module in (
        encryption,
        storage,
        ledger,
        messaging,
        functions,
        jobs,
        workflow,
        scheduling,
        monitoring,
        views,
        catalog_views,
    ):
        module.teach()
    for known in (parsing.get_model_list, parsing.get_model_map, parsing.get_name_type_map):
        known.cache_clear()
