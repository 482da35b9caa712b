"""What is known of an execution that is to be told of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_ORDERLY = ("stage", "mart", "open", "extract", "maintain")


@dataclass(frozen=True)
class Report:
    """An execution that failed, or whose table is well again; `failures` and `summaries` are the state machine's.

    `redrives` is how often it was redriven until then. `is_end`: nobody but EventBridge says that it failed; whatever
    its states did has been told, unless they could not. `is_cut_off`: it was aborted or ran out of time, and goes on
    from there when it is redriven.
    """

    pipeline: str
    environment: str
    table: str
    execution: str
    request: Mapping[str, Any]
    failures: Sequence[Mapping[str, Any]]
    summaries: Sequence[Mapping[str, Any]] = ()
    redrives: int = 0
    is_end: bool = False
    is_cut_off: bool = False

    @property
    def name(self) -> str:
        return f"{self.pipeline}-{self.environment}"

    @property
    def is_good(self) -> bool:
        """Tell whether the table has recovered."""
        return not self.failures

    @property
    def extracts(self) -> bool:
        """Tell whether it was to extract its table."""
        return "-extract-source:" in self.execution

    @property
    def kind(self) -> str:
        """Return recovered, or the first failure's kind: open, next, stage, mart, hand_over, extract, maintain …"""
        return "recovered" if self.is_good else str(self.failures[0]["kind"])

    @property
    def is_refusal(self) -> bool:
        """Tell whether the execution's input was refused, so that nothing was begun."""
        return any(failure["error"] == "InvalidRequestError" for failure in self.failures)

    @property
    def broke_off(self) -> bool:
        """Tell whether it could not be brought to the end that the state machine knows."""
        return any(failure["kind"] not in _ORDERLY for failure in self.failures)

    @property
    def severity(self) -> str:
        """A mart or a batch that failed is an error; a table that could not be worked on at all is critical."""
        if self.is_good:
            return "info"
        return "critical" if self.broke_off else "error"

    @property
    def built(self) -> set[str]:
        """Return the marts that some batch of the execution built."""
        return {mart for summary in self.summaries for mart in summary.get("marts", {})}
