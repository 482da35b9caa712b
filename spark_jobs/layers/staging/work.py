"""What staging a batch works with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pyspark.sql import DataFrame

from contracts.model import Table
from spark_jobs.layers.lake import Branch, Snapshot
from spark_jobs.layers.shaping import conformed
from spark_jobs.layers.staging import quality
from spark_jobs.layers.staging.claims import Claim
from spark_jobs.layers.staging.landings import Manifest
from spark_jobs.layers.staging.quarantine import Quarantine
from spark_jobs.layers.staging.reading import Reader
from spark_jobs.layers.staging.state import MOVED, PART, state_schema


@dataclass(frozen=True)
class Work:
    """Contract, manifest, reader, one branch for each table, the clock; `base` is the last batch's snapshot.

    `base` is None where the tables are empty, or have just been emptied for a rebuild.
    """

    table: Table
    manifest: Manifest
    reader: Reader
    log: Branch
    quarantine: Quarantine
    state: Branch | None
    now: datetime
    base: Snapshot | None

    def keyed(self) -> Branch:
        """Return the branch of the key state."""
        assert self.state is not None, "only keyed loads have a key state"
        return self.state

    def stored(self) -> DataFrame:
        """Return the key state in the contract's columns: the table keeps those that a contract has dropped."""
        return conformed(self.keyed().read(), state_schema(self.table))

    def moved(self) -> int:
        """Return how many rows the state's `moved` part has."""
        return self.keyed().count_in(PART, MOVED)

    def rows(self, claims: Sequence[Claim], only: DataFrame | None = None) -> tuple[DataFrame, dict[str, int]]:
        """Return the rows of claims (of `only` these fingerprints), judged, and by check the files that it warns of."""
        return quality.read_judged(self.reader, self.log.lake, self.table, claims, only)

    def refuse(self, refused: DataFrame) -> None:
        """Put refused rows in quarantine, unless they fail their whole landing."""
        self.reader.refuse_fatal(self.table, refused)
        self.quarantine.add(refused)
