"""Spark for little data: on a laptop's lake, compiling and planning cost more than the work itself.

Measured on the nycflights demo: without adaptive execution, with one shuffle partition and without generated code, a
night takes half the CPU, and the first jobs of a process, with the first of Java's two compilers alone, a third.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

SMALL_BYTES = 256 * 1024**2
JAVA_FOR_MUCH = "-XX:+UseParallelGC"  # its default for two cores spends a tenth of their time beside the work
JAVA_FOR_LITTLE = (
    "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m -XX:+UseSerialGC -Xms512m -Xmn256m "
    "-XX:+UnlockDiagnosticVMOptions -XX:-BytecodeVerificationRemote"  # the classes are those of pinned jars
)
LITTLE = {
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.shuffle.partitions": "1",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.constraintPropagation.enabled": "false",
}
MUCH = {
    "spark.sql.adaptive.enabled": "true",
    "spark.sql.shuffle.partitions": "2",
    "spark.sql.codegen.wholeStage": "true",
    "spark.sql.codegen.factoryMode": "FALLBACK",
    "spark.sql.constraintPropagation.enabled": "true",
}


def session_options(lake: Path, buckets: Iterable[str]) -> dict[str, str]:
    """Return the options of a session on a lake: those for little data while it holds little."""
    return dict(LITTLE if is_small(lake, buckets) else MUCH)


def is_small(lake: Path, buckets: Iterable[str]) -> bool:
    """Tell whether all files of a lake's buckets are little together; it looks no further than it must."""
    total = 0
    for bucket in buckets:
        for folder, _, names in os.walk(lake / bucket):
            total += sum(_size(os.path.join(folder, name)) for name in names)  # noqa: PTH118 (walks)
            if total > SMALL_BYTES:
                return False
    return True


def _size(path: str) -> int:
    """Return a file's bytes, none where another job has put a newer file in its place meanwhile."""
    try:
        return os.path.getsize(path)  # noqa: PTH202 (walks)
    except FileNotFoundError:
        return 0
