"""How an object version enters the ledger, once; and which objects are none of ours."""

from __future__ import annotations

import re
from dataclasses import replace

from contracts.model import Table
from functions.shared import actions
from functions.shared.errors import ConditionFailedError
from functions.shared.landings import Landing
from functions.shared.ledger import Action, Ledger, unrouted_key

_TEMPORARY_SUFFIXES = (".tmp", ".temp", ".part", ".partial", ".crc", ".filepart", ".crdownload", ".swp", "~")
_TEMPORARY_FOLDERS = re.compile(r"(^|/)(_temporary|_spark_metadata|_delta_log|\.[^/]*)(/|$)")
_MARKERS = re.compile(r"_SUCCESS|_(started|committed)_.*|_(common_)?metadata|.*_\$folder\$")


def is_noise(key: str) -> bool:
    """Tell whether a key is a folder marker, a job's marker, or a temporary or hidden file."""
    name = key.rpartition("/")[2]
    if not name or _MARKERS.fullmatch(name):
        return True
    return name.lower().endswith(_TEMPORARY_SUFFIXES) or bool(_TEMPORARY_FOLDERS.search(key))


def write_down(ledger: Ledger, table: Table | None, landing: Landing) -> bool:
    """Write a landing down if it is not there yet: pending, or as one that no table claims; tell whether it was not."""
    landing = replace(landing, updated_at=ledger.now())
    try:
        if table is None:
            put = landing.to_plain() | {"state": "unrouted"}
            ledger.write(Action("Put", unrouted_key(landing.id), put, condition="attribute_not_exists(pk)"))
        else:
            ledger.transact(actions.arrivals(table.name, landing))
    except ConditionFailedError:
        return False
    return True
