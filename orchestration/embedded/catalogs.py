"""The Spark configuration of a Glue job, turned into that of the laptop: the same catalogs, as folders."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping

_CATALOG = "spark.sql.catalog."
_CATALOG_CLASS = "org.apache.iceberg.spark.SparkCatalog"
_OF_AWS = ("catalog-impl", "io-impl")
_FOLDERS = '{"type": "hadoop"}'


def options_of(conf: str) -> dict[str, str]:
    """Return the options in a `--conf` argument as Glue takes it: `k=v --conf k=v …`."""
    pairs = (part.strip().partition("=") for part in conf.split(" --conf "))
    return {name: value for name, _, value in pairs if name}


def on_laptop(options: Mapping[str, str]) -> dict[str, str]:
    """Return the options with each catalog in a folder instead of in Glue, or what LANDFALL_CATALOG says in JSON.

    The lock that a Hadoop catalog takes while it commits is Iceberg's own, of one JVM. Jobs in processes that commit at
    the same time need a catalog that compares and swaps, e.g. {"type": "jdbc", "uri": "jdbc:postgresql://…"}.
    """
    made = {name: value for name, value in options.items() if name.rsplit(".", 1)[-1] not in _OF_AWS}
    for name in catalog_names(options):
        for word, value in json.loads(os.environ.get("LANDFALL_CATALOG", _FOLDERS)).items():
            made[f"{_CATALOG}{name}.{word}"] = value
    return made


def catalog_names(options: Mapping[str, str]) -> list[str]:
    return [name.removeprefix(_CATALOG) for name, value in options.items() if value == _CATALOG_CLASS]


def for_queries(options: Mapping[str, str], prefix: str) -> dict[str, str]:
    """Return options under which `mart.dim_planes` is the table of the mart layer's database."""
    made = on_laptop(options)
    for name in catalog_names(options):
        warehouse = f"{_CATALOG}{name}.warehouse"
        made[warehouse] = f"{made[warehouse].rstrip('/')}/{prefix}_{name}/"
    return made
