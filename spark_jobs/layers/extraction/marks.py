"""Values that order rows, as the database has them: watermarks and split bounds, as text without loss."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal

from spark_jobs.layers.extraction.columns import DATE, DECIMALS, INTEGERS, TIMESTAMP, is_zoned
from spark_jobs.layers.extraction.database import SourceColumn
from spark_jobs.layers.extraction.dialects import Dialect

NUMBER, DAY, SECONDS, MOMENT, ZONED = "number", "date", "seconds", "timestamp", "zoned"
TIMES = (DAY, SECONDS, MOMENT, ZONED)
GETTERS = {NUMBER: "getBigDecimal", DAY: "getDate", **dict.fromkeys((SECONDS, MOMENT, ZONED), "getTimestamp")}
_END = datetime(9999, 12, 31, 23, 59, 59)  # noqa: DTZ001 (a time as the database has it, without a zone)
# How far below the watermark times are read again. A clock without a zone goes back an hour when summer ends.
OVERLAPS = {DAY: "10m", SECONDS: "70m", MOMENT: "70m", ZONED: "10m"}
_LENGTHS = {DAY: timedelta(days=1)}
_FARTHEST_ZONE = timedelta(hours=12)  # behind UTC; times with a zone are known to the instant
_EXACT = Context(prec=150_000)  # more digits than a number of any database has
_DAY, _TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}", r"[ T][0-9]{2}:[0-9]{2}:[0-9]{2}"
_FORMS = {
    NUMBER: (r"-?[0-9]+(\.[0-9]+)?", "a number such as 1000"),
    DAY: (_DAY, "a day such as 2013-01-31"),
    SECONDS: (rf"{_DAY}{_TIME}(\.0)?", "a time such as 2013-01-31 23:59:59"),
    MOMENT: (rf"{_DAY}{_TIME}(\.[0-9]{{1,9}})?", "a time such as 2013-01-31 23:59:59.5"),
    ZONED: (rf"{_DAY}{_TIME}(\.[0-9]{{1,9}})?", "a time in UTC such as 2013-01-31 23:59:59.5"),
}
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


@dataclass(frozen=True)
class Mark:
    """One value of an ordering column: a number, or a time in the database's words, nine digits of a second and all."""

    kind: str
    value: str

    @property
    def order(self) -> tuple[Decimal, str]:
        """Return what sorts marks of one kind."""
        if self.kind == NUMBER:
            return Decimal(self.value), ""
        whole, _, fraction = self.value.partition(".")
        return Decimal(int(_moment(whole).strftime("%Y%m%d%H%M%S"))), fraction.ljust(9, "0")

    @property
    def moment(self) -> datetime:
        """Return a time to the microsecond; the end of time for years that Python does not know."""
        whole, _, fraction = self.value.partition(".")
        return _moment(whole) + timedelta(microseconds=int(fraction.ljust(6, "0")[:6]))

    @property
    def over(self) -> datetime:
        """Return when a time is over in every zone; whole seconds last one."""
        end = self.moment + _LENGTHS.get(self.kind, timedelta(seconds=1))
        return end.replace(tzinfo=UTC) + (timedelta(0) if self.kind == ZONED else _FARTHEST_ZONE)

    def may_recur(self, now: datetime) -> bool:
        """Tell whether a row that comes later may bear the same mark: a day or whole second that is not over."""
        return self.kind in TIMES and not self.order[1].strip("0") and now < self.over

    def less(self, number: int) -> Mark:
        """Return the mark that lies so far below a number, to the last digit."""
        return Mark(self.kind, f"{_EXACT.subtract(Decimal(self.value), number):f}")

    def literal(self, dialect: Dialect) -> str:
        """Return it as SQL."""
        match self.kind:
            case "number":
                return self.value
            case "date":
                return f"{{d '{self.value[:10]}'}}"
            case "seconds":
                return dialect.seconds.format(value=self.value.partition(".")[0])
            case "zoned":
                return dialect.zoned.format(value=self.value)
        return dialect.timestamp.format(value=self.value)


def parsed(kind: str, text: str) -> Mark:
    """Return the mark that a text names; ValueError says what it must be."""
    pattern, wanted = _FORMS[kind]
    whole, _, fraction = text.replace("T", " ").partition(".")
    if not re.fullmatch(pattern, text) or (kind in TIMES and not _is_time(whole)):
        raise ValueError(wanted)
    if kind in (NUMBER, DAY):
        return Mark(kind, text)
    return Mark(kind, f"{whole}.{fraction or '0'}")


def mark_of(kind: str, moment: datetime) -> Mark:
    """Return a time as a mark."""
    return Mark(kind, str(moment.date()) if kind == DAY else moment.isoformat(sep=" ", timespec="microseconds"))


def kind_of(column: SourceColumn) -> str | None:
    """Return the kind of marks that a column holds, or None where its values have no order to rely on."""
    if is_zoned(column):
        return ZONED
    if column.code == TIMESTAMP:
        return SECONDS if column.kind.upper() == "DATE" else MOMENT
    if column.code == DATE:
        return DAY
    return NUMBER if column.code in (*DECIMALS, *INTEGERS) else None


def highest(column: str, kind: str, dialect: Dialect, function: str = "MAX") -> str:
    """Return the SQL of a column's greatest (or least) value; times with a zone are answered in UTC."""
    value = f"{function}({column})"
    return dialect.at_utc.format(column=value) if kind == ZONED else value


def seconds_of(text: str) -> int:
    """Return the seconds of a time such as `10m`."""
    return int(text[:-1]) * _UNITS[text[-1]]


def _is_time(text: str) -> bool:
    try:
        return bool(datetime.fromisoformat(text))
    except ValueError:
        return False


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return _END
