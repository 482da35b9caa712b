"""How a job's process is interrupted, when it is ordered: it kills or stops itself at a step of its log, or later."""

from __future__ import annotations

import json
import signal
from dataclasses import asdict, dataclass

VARIABLE = "LANDFALL_INTERRUPTION"


@dataclass(frozen=True)
class Interruption:
    """A signal at the `nth` log line that holds all of `words` (none: at the start), `seconds` later.

    With `alone` the signal meets Python only, and its JVM finishes what it is at. A process that `outlives` its run
    goes on when Glue has stopped the run, as one does that is cut off from Glue.
    """

    words: tuple[str, ...] = ()
    nth: int = 1
    seconds: float = 0.0
    signal: int = signal.SIGKILL
    alone: bool = False
    outlives: bool = False

    def to_json(self) -> str:
        """Return the interruption as glue_shim/run_script.py reads it."""
        return json.dumps(asdict(self))
