"""A job's process interrupts itself at the line of its log that is ordered, by a signal that it cannot catch."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from orchestration.embedded.interruptions import VARIABLE, Interruption

RUN_SCRIPT = Path(__file__).parents[3] / "orchestration" / "embedded" / "glue_shim" / "run_script.py"
SCRIPT = """
import sys, time
for step in ("read", "write", "write", "publish"):
    print('{"step": "%s"}' % step, file=sys.stderr, flush=True)
    if sys.argv[1] == "slow":
        time.sleep(5)
"""


@pytest.mark.parametrize(
    ("interruption", "code", "steps"),
    [
        (Interruption(('"write"',), nth=2), -signal.SIGKILL, ["read", "write", "write"]),
        (Interruption(('"write"',), alone=True), -signal.SIGKILL, ["read", "write"]),
        (Interruption(('"nowhere"',)), 0, ["read", "write", "write", "publish"]),
        (None, 0, ["read", "write", "write", "publish"]),
    ],
)
def test_at_a_line(tmp_path: Path, interruption: Interruption | None, code: int, steps: list[str]) -> None:
    assert ran(tmp_path, interruption, "fast") == (code, steps)


def test_after_some_time(tmp_path: Path) -> None:
    assert ran(tmp_path, Interruption(seconds=0.5), "slow") == (-signal.SIGKILL, ["read"])
    assert ran(tmp_path, Interruption(('"read"',), seconds=0.5), "slow") == (-signal.SIGKILL, ["read"])


def ran(folder: Path, interruption: Interruption | None, pace: str) -> tuple[int, list[str]]:
    """Run the script in a process of its own; return its exit code and the steps on its log."""
    script = folder / "script.py"
    script.write_text(SCRIPT, encoding="utf-8")
    ordered = {VARIABLE: interruption.to_json()} if interruption else {}
    done = subprocess.run(
        [sys.executable, str(RUN_SCRIPT), str(folder / "error.txt"), str(script), pace],
        env={**os.environ, **ordered},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        timeout=60,
        check=False,
    )
    return done.returncode, [line.split('"')[3] for line in done.stderr.splitlines()]
