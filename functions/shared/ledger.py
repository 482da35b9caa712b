"""The ledger: every DynamoDB call of the Lambdas, with its errors in the ledger's words."""

from __future__ import annotations

import random
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from contracts.model import Plan
from functions.shared.attributes import Item, from_item, to_item
from functions.shared.errors import ConditionFailedError, LedgerBusyError
from functions.shared.landings import Landing

UNROUTED = "UNROUTED"
MAX_ACTIONS = 100
_READ_AT_ONCE = 100
_TRIES = 8
_CONFLICTS = {
    "TransactionConflict",
    "TransactionConflictException",
    "TransactionInProgressException",
    "ThrottlingError",
    "ProvisionedThroughputExceeded",
}
_OVERLOADED = {
    "InternalServerError",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ThrottlingException",
}


@dataclass(frozen=True)
class Lease:
    """The right to run one table's batch; `token` only grows, `holder` is an execution's ARN or nothing.

    `taken_by` and `iteration` say for which batch of which execution it was taken last, also when it is free.
    `orphans` are batches of holders that died, `due_marts` marts that failed or were skipped, `stopped` batches
    that a limit stopped, `held` the failed landings (their `entry`) that later files wait for. `known` are the
    table, once something of it is published, and the revisions of marts that have been built or due since.
    """

    table: str
    token: int = 0
    holder: str = ""
    batch_id: str = ""
    taken_by: str = ""
    iteration: int = 0
    arrivals: int = 0
    failing: bool = False
    due_marts: frozenset[str] = frozenset()
    orphans: frozenset[str] = frozenset()
    stopped: frozenset[str] = frozenset()
    held: frozenset[str] = frozenset()
    known: frozenset[str] = frozenset()

    def new_marts(self, plan: Plan) -> frozenset[str]:
        """Return the marts that were added or changed since a batch of the table was published.

        Nobody has built them by their contract of today yet.
        """
        if self.table not in self.known:
            return frozenset()
        return frozenset(name for name in plan.downstream(self.table) if plan.marts[name].revision not in self.known)

    @classmethod
    def from_plain(cls, table: str, plain: Mapping[str, Any]) -> Lease:
        return cls(table, **{name: value for name, value in plain.items() if name in cls.__dataclass_fields__})


@dataclass(frozen=True)
class Action:
    """One write of a transaction: `kind` is Put, Update, Delete or ConditionCheck."""

    kind: str
    key: Mapping[str, str]
    plain: Mapping[str, Any] = field(default_factory=dict)
    update: str = ""
    condition: str = ""
    names: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)


def table_key(table: str) -> str:
    return f"TABLE#{table}"


def lease_key(table: str) -> dict[str, str]:
    return {"pk": table_key(table), "sk": "LEASE"}


def landing_key(table: str, id_: str) -> dict[str, str]:
    return {"pk": table_key(table), "sk": f"LANDING#{id_}"}


def unrouted_key(id_: str) -> dict[str, str]:
    return {"pk": UNROUTED, "sk": f"LANDING#{id_}"}


def marker_key(table: str, landing: Landing) -> dict[str, str]:
    return {"pk": table_key(table), "sk": landing.marker}


def batch_key(table: str, batch_id: str) -> dict[str, str]:
    return {"pk": table_key(table), "sk": f"BATCH#{batch_id}"}


def utc_now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


@dataclass(frozen=True)
class Ledger:
    """The DynamoDB table of a pipeline; reads are consistent, writes that conflict are tried again."""

    client: Any
    name: str
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], str] = utc_now

    def lease(self, table: str) -> Lease:
        """Return the lease of a table, free and new where nothing has landed yet."""
        return Lease.from_plain(table, self.get(lease_key(table)) or {})

    def pending(self, table: str, limit: int | None = None) -> list[Landing]:
        """Return the pending landings of a table by event time, the first `limit` of them."""
        items = self._query(table_key(table), "PENDING#", limit)
        return [Landing.from_plain(item) for item in items]

    def versions(self, table: str, object_id: str) -> list[Landing]:
        """Return the landings of one object, one for each version that landed, in the order S3 wrote them."""
        found = [Landing.from_plain(item) for item in self._query(table_key(table), f"LANDING#{object_id}-")]
        return sorted(found, key=_in_order)

    def all_versions(self, table: str) -> dict[str, list[Landing]]:
        """Return the `versions` of each object of a table, by object id."""
        found: dict[str, list[Landing]] = defaultdict(list)
        for one in sorted(self.all_landings(table), key=_in_order):
            found[one.object_id].append(one)
        return found

    def all_landings(self, table: str) -> Iterator[Landing]:
        """Yield every landing of a table."""
        return (Landing.from_plain(item) for item in self._query(table_key(table), "LANDING#"))

    def unrouted(self) -> Iterator[Landing]:
        """Yield the objects that no table claimed when they landed."""
        return (Landing.from_plain(item) for item in self._query(UNROUTED, "LANDING#"))

    def landings(self, table: str, ids: Sequence[str]) -> dict[str, Landing]:
        """Return landings by id."""
        found: dict[str, Landing] = {}
        for start in range(0, len(ids), _READ_AT_ONCE):
            keys = [to_item(landing_key(table, id_)) for id_ in ids[start : start + _READ_AT_ONCE]]
            for _ in range(_TRIES):
                request = {self.name: {"Keys": keys, "ConsistentRead": True}}
                answer = _answer(self.client.batch_get_item, RequestItems=request)
                items = [from_item(item) for item in answer["Responses"].get(self.name, [])]
                found |= {item["id"]: Landing.from_plain(item) for item in items}
                keys = answer.get("UnprocessedKeys", {}).get(self.name, {}).get("Keys", [])
                if not keys:
                    break
                self.sleep(0.2)
            else:
                raise LedgerBusyError(f"{table}: the ledger does not hand out all landings of the batch")
        return found

    def get(self, key: Mapping[str, str]) -> Item | None:
        answer = _answer(self.client.get_item, TableName=self.name, Key=to_item(key), ConsistentRead=True)
        return from_item(answer["Item"]) if answer.get("Item") else None

    def batch(self, table: str, batch_id: str) -> Item | None:
        return self.get(batch_key(table, batch_id))

    def _query(self, pk: str, prefix: str, limit: int | None = None) -> Iterator[Item]:
        values = {":pk": pk, ":prefix": prefix}
        request = {
            "TableName": self.name,
            "KeyConditionExpression": "pk = :pk AND begins_with(sk, :prefix)",
            "ExpressionAttributeValues": to_item(values),
            "ConsistentRead": True,
        }
        left = limit
        while True:
            answer = _answer(self.client.query, **request, **({"Limit": left} if left else {}))
            yield from (from_item(item) for item in answer["Items"])
            left = left - len(answer["Items"]) if left else None
            if "LastEvaluatedKey" not in answer or left == 0:
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def write(self, action: Action) -> None:
        """Write one item; ConditionFailedError where its condition does not hold."""
        call = {"Put": self.client.put_item, "Update": self.client.update_item}[action.kind]
        self._tried(lambda: _answer(call, **_request(action, self.name)), [action])

    def transact(self, actions: Sequence[Action]) -> None:
        """Write all or nothing; ConditionFailedError names the positions whose conditions do not hold."""
        items = [{action.kind: _request(action, self.name)} for action in actions]
        self._tried(lambda: _answer(self.client.transact_write_items, TransactItems=items), actions)

    def _tried(self, call: Callable[[], object], actions: Sequence[Action]) -> None:
        for attempt in range(_TRIES):
            try:
                call()
                return
            except ClientError as error:
                codes = _codes(error)
                if failed := tuple(n for n, code in enumerate(codes) if code.startswith("ConditionalCheckFailed")):
                    found = ", ".join(actions[n].key["sk"] for n in failed)
                    raise ConditionFailedError(f"not as expected in the ledger: {found}", failed) from error
                if not _CONFLICTS.intersection(codes):
                    raise
            self.sleep(random.uniform(0.01, 0.05) * 2**attempt)
        raise LedgerBusyError(f"{actions[0].key['pk']}: others write the same items; tried {_TRIES} times")


def _in_order(one: Landing) -> tuple[str, str]:
    return (one.sequence, one.id)


def _answer(call: Callable[..., Any], **request: Any) -> Any:
    """Return a call's answer; LedgerBusyError, which the state machine waits for, where DynamoDB only puts us off."""
    try:
        return call(**request)
    except ClientError as error:
        if error.response["Error"]["Code"] in _OVERLOADED:
            raise LedgerBusyError(f"the ledger is overloaded: {error}") from error
        raise


def _codes(error: ClientError) -> list[str]:
    code = error.response["Error"]["Code"]
    if code != "TransactionCanceledException":
        return [code]
    return [reason.get("Code", "None") for reason in error.response.get("CancellationReasons", [])]


def _request(action: Action, name: str) -> dict[str, Any]:
    request: dict[str, Any] = {"TableName": name}
    if action.kind == "Put":
        request["Item"] = to_item({**action.key, **action.plain})
    else:
        request["Key"] = to_item(action.key)
    if action.update:
        request["UpdateExpression"] = action.update
    if action.condition:
        request["ConditionExpression"] = action.condition
    if action.names:
        request["ExpressionAttributeNames"] = dict(action.names)
    if action.values:
        request["ExpressionAttributeValues"] = to_item(action.values)
    return request
