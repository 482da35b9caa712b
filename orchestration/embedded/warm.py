"""Runs job scripts in this process's Spark: no start-up to wait for, a session of its own for each run."""

from __future__ import annotations

import importlib.util
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

from pyspark.sql import SparkSession

from orchestration.embedded.catalogs import on_laptop, options_of
from orchestration.embedded.job_runs import JobRun, JobStoppedError
from orchestration.embedded.logs import logging_to
from orchestration.embedded.profile import session_options
from orchestration.embedded.session import join_session

_SHIM = Path(__file__).parent / "glue_shim"
_STATIC = frozenset({"spark.sql.extensions"})
_CANCEL_SECONDS = 0.2
_own = threading.local()
_plain_get_or_create = SparkSession.Builder.getOrCreate
_plain_new_session = SparkSession.newSession


class WarmRunner:
    """One JVM for all runs; Spark starts with the first."""

    def __init__(self, lake: Path, buckets: frozenset[str], scripts: Mapping[str, Path], cores: str) -> None:
        self._lake = lake
        self._buckets = buckets
        self._scripts = scripts
        self._cores = cores
        self._loaded: dict[str, ModuleType] = {}
        self._lock = threading.Lock()

    def run(self, run: JobRun) -> None:
        """Call the script's main in this thread, with a session that has the job's configuration."""
        with logging_to(run.log_file):
            main = self._main(run.script)
            options = on_laptop(options_of(run.arguments["--conf"])) | session_options(self._lake, self._buckets)
            with _configured(self.session(), options) as session:
                session.sparkContext.setJobGroup(run.job_run_id, run.job_name)
                try:
                    main([run.script, *(word for pair in run.arguments.items() for word in pair)])
                except Exception as error:
                    if run.stop_asked.is_set():
                        raise JobStoppedError(run.job_name) from error
                    raise

    def stop(self, run: JobRun) -> None:
        """Cancel the run's Spark jobs until it gives up."""

        def cancel() -> None:
            pause = threading.Event()
            while run.completed_on is None:
                self.session().sparkContext.cancelJobGroup(run.job_run_id)
                pause.wait(_CANCEL_SECONDS)

        threading.Thread(target=cancel, daemon=True).start()

    def session(self) -> SparkSession:
        """Return the process's Spark with the lake's buckets."""
        with self._lock:
            return join_session(self._lake, self._buckets, self._cores)

    def _main(self, script: str) -> Callable[[list[str]], None]:
        with self._lock:
            if script not in self._loaded:
                self._loaded[script] = _load(self._scripts[script])
            main: Callable[[list[str]], None] = self._loaded[script].main
            return main


def new_session(root: SparkSession, options: Mapping[str, str]) -> SparkSession:
    """Return a session beside `root`, with options of its own."""
    return _with(root.newSession(), options)


def _with(session: SparkSession, options: Mapping[str, str]) -> SparkSession:
    for name, value in options.items():
        if name not in _STATIC:
            session.conf.set(name, value)
    return session


def _load(path: Path) -> ModuleType:
    """Import a script under a name of its own, with Glue's library within reach."""
    if importlib.util.find_spec("awsglue") is None:
        sys.path.append(str(_SHIM))
    spec = importlib.util.spec_from_file_location(f"landfall_job_{path.stem.replace('.', '_')}", path)
    assert spec is not None and spec.loader is not None, "a script is a Python file"
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextmanager
def _configured(root: SparkSession, options: Mapping[str, str]) -> Iterator[SparkSession]:
    """Let this thread's sessions have these options, as all sessions of a job's own process have them."""
    _own.options = options
    _own.session = session = root.newSession()
    session._jvm.SparkSession.setActiveSession(session._jsparkSession)  # type: ignore[union-attr]
    try:
        yield session
    finally:
        _own.session, _own.options = None, {}


@contextmanager
def own_sessions() -> Iterator[None]:
    """Let threads that run jobs have sessions of their own."""

    def get_or_create(builder: Any) -> SparkSession:
        return getattr(_own, "session", None) or _plain_get_or_create(builder)

    def another(session: SparkSession) -> SparkSession:
        return _with(_plain_new_session(session), getattr(_own, "options", {}))

    with (
        mock.patch.object(SparkSession.Builder, "getOrCreate", get_or_create),
        mock.patch.object(SparkSession, "newSession", another),
    ):
        yield
