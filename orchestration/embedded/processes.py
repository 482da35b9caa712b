"""Runs each job in a process of its own, as Glue does: its own Spark, the shipped library, AWS over the network."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from orchestration.embedded.catalogs import on_laptop, options_of
from orchestration.embedded.interruptions import VARIABLE
from orchestration.embedded.job_runs import JobFailedError, JobRun, JobStoppedError
from orchestration.embedded.profile import JAVA_FOR_LITTLE, session_options
from orchestration.embedded.session import base_options, java_environment, mount_options

_SHIM = Path(__file__).parent / "glue_shim"
_POLL_SECONDS = 0.1


class ProcessRunner:
    """A process for each run; `run.pid` is its id while it works."""

    def __init__(
        self,
        lake: Path,
        state: Path,
        buckets: frozenset[str],
        assets: Mapping[str, Path],
        endpoint: str,
        region: str,
        cores: str,
    ) -> None:
        self._lake = lake
        self._runs = state / "runs"
        self._buckets = buckets
        self._assets = assets
        self._endpoint = endpoint
        self._region = region
        self._cores = cores

    def run(self, run: JobRun) -> None:
        """Start the script and wait for its end."""
        folder = self._runs / run.job_run_id
        folder.mkdir(parents=True, exist_ok=True)
        self._write_configuration(run, folder)
        error_file = folder / "error.txt"
        command = [sys.executable, str(_SHIM / "run_script.py"), str(error_file), str(self._assets[run.script])]
        arguments = [word for pair in run.arguments.items() for word in pair]
        run.log_file.parent.mkdir(parents=True, exist_ok=True)
        with run.log_file.open("ab") as log:
            process = subprocess.Popen(
                [*command, *arguments],
                cwd=folder,
                env=self._environment(run, folder),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            run.pid = process.pid
            code = self._wait(run, process)
        run.pid = None if process.returncode is not None else process.pid
        if run.stop_asked.is_set():
            raise JobStoppedError(run.job_name)
        if code:
            raise JobFailedError(
                error_file.read_text(encoding="utf-8") if error_file.exists() else f"The process ended with code {code}"
            )

    def stop(self, run: JobRun) -> None:
        """Kill the run's process, and the Java that it has started."""
        if run.pid is not None and not _outlives(run):
            with suppress(ProcessLookupError):
                os.killpg(run.pid, signal.SIGKILL)

    def _wait(self, run: JobRun, process: subprocess.Popen[bytes]) -> int | None:
        """Return the exit code; None of a process that goes on although its run was stopped."""
        if not _outlives(run):
            return process.wait()
        while process.poll() is None and not run.stop_asked.wait(_POLL_SECONDS):
            pass
        return process.poll()

    def _write_configuration(self, run: JobRun, folder: Path) -> None:
        options = {
            **base_options(self._lake, self._cores, JAVA_FOR_LITTLE),
            **session_options(self._lake, self._buckets),
            **mount_options(self._lake, sorted(self._buckets)),
            **on_laptop(options_of(run.arguments["--conf"])),
        }
        lines = "".join(f"{name} {value}\n" for name, value in options.items())
        (folder / "spark-defaults.conf").write_text(lines, encoding="utf-8")

    def _environment(self, run: JobRun, folder: Path) -> dict[str, str]:
        library = self._assets[run.arguments["--extra-py-files"]]
        return {
            **os.environ,
            **java_environment(),
            "AWS_DEFAULT_REGION": self._region,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL": self._endpoint,
            "PYTHONPATH": os.pathsep.join((str(library), str(_SHIM))),
            "SPARK_CONF_DIR": str(folder),
            **({VARIABLE: run.interruption.to_json()} if run.interruption else {}),
        }


def _outlives(run: JobRun) -> bool:
    return run.interruption is not None and run.interruption.outlives
