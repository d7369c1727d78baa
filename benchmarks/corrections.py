"""Corrections: seconds from publishing a merge, a flag or hidings until every number is right, and the way back.

One community of 100,000 messages in 30 days, who answer, mention, ask and thank each other: two members with 10,000
events each who are merged, a bot that wrote 30 %, and 1,000 messages that are hidden. After each step everything is
reconciled; after the way back every aggregate, and views of ties, answers and signs, must be as before.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from benchmarks.bench import create_topics, settings_for, warehouse_for, worker_for
from benchmarks.events import Encoded
from benchmarks.fill import fill
from benchmarks.path import stored, wait_for
from streams.aggregates import ALL
from streams.clickhouse import Warehouse
from streams.embedded.broker import EmbeddedBroker
from streams.processors.settled import wait_until_settled
from streams.reconcile import reconcile
from streams.topics import by_name

TOWN = "town"
EVENTS = 100_000
EACH = 10_000
OF_BOT = 30_000
HIDDEN = 1_000
MEMBERS = 200
START = datetime(2025, 6, 2, tzinfo=UTC)
SPAN = timedelta(days=30)
AT = f"(at = '{START + SPAN:%F %T}')"
VIEWS = (f"ties_at{AT}", f"network_at{AT}", "first_response_day", "signs", "thanks", "belonging_gains")
"""What is compared besides the aggregates; nothing that counts the corrections themselves."""
POLL_S = 0.1

TEXTS = ("hello", "does anyone know a good bakery?", "thanks a lot", "can somebody help me")

Rows = dict[str, list[Any]]


@dataclass(frozen=True)
class Step:
    """One correction or its inverse: how many events it took, seconds until right, and what reconcile found."""

    what: str
    published: int
    seconds: float
    differences: int
    as_before: bool | None = None


def measure(partitions: int) -> list[Step]:
    """Publish the community, then each correction and its inverse, on a stack of its own."""
    with EmbeddedBroker() as broker:
        settings = settings_for(broker, "bench.", partitions)
        create_topics(settings)
        fill(settings.kafka, map(encoded, life()))
        with warehouse_for(settings) as (settings, _, warehouse), worker_for(settings) as worker:
            wait_for(lambda: stored(warehouse) >= EVENTS, 600.0, "facts are missing")
            wait_until_settled(settings, 300.0)
            steps = []
            for what, done, undone, right in corrections():
                before, held = rows(warehouse), ask(warehouse, right)
                for name, events, goal in ((what, done, 0), (f"{what}, taken back", undone, held)):
                    started = time.monotonic()
                    fill(settings.kafka, map(encoded, events))
                    answer = partial(ask, warehouse, right)
                    wait_for(lambda answer=answer, goal=goal: answer() == goal, 300.0, name, POLL_S)  # type: ignore[misc]
                    took = time.monotonic() - started
                    wait_until_settled(settings, 300.0)
                    differences = len(reconcile(warehouse, settle_s=0))
                    back = rows(warehouse) == before if events is undone else None
                    steps.append(Step(name, len(events), took, differences, back))
            worker.check()
    return steps


def ask(warehouse: Warehouse, question: str) -> int:
    """The one number that answers a question."""
    return int(warehouse.rows(question)[0][0])


def life() -> Iterator[dict[str, Any]]:
    """The events of the community, spread evenly over its days."""
    for number in range(EVENTS):
        share = number % 10
        member = ("bot", "bot", "bot", "one", "two")[share] if share < 5 else f"m{number * 7919 // 10 % MEMBERS}"
        said: dict[str, Any] = {"text": TEXTS[number // 10 % len(TEXTS)]}
        if number % 3 == 0 and number > 20:
            said["reply_to"] = f"e{number - 20 + number % 7}"
        if number % 11 == 0:
            said["mentions"] = [f"m{number % MEMBERS}", "one"]
        yield event("message", f"e{number}", member, START + SPAN * (number / EVENTS), platform=place(member), **said)


def place(member: str) -> str:
    """Platform on which a member writes."""
    return "shop" if member == "two" else "chat"


def event(family: str, event_id: str, member: str, at: datetime, **fields: Any) -> dict[str, Any]:
    """A contract event of the community."""
    return {
        "event_id": event_id,
        "type": family,
        "platform": "chat",
        "community_id": TOWN,
        "member_id": member,
        "occurred_at": at.isoformat(timespec="milliseconds"),
    } | fields


def encoded(made: dict[str, Any]) -> Encoded:
    """The event on its way."""
    key = f"{TOWN}/{made['member_id']}".encode()
    return Encoded(by_name[made["type"]].suffix, key, json.dumps(made).encode())


Correction = tuple[str, list[dict[str, Any]], list[dict[str, Any]], str]


def corrections() -> Iterator[Correction]:
    """(what, events, inverse events, question whose answer is 0 once it is right and what it was once taken back)."""
    at = START + SPAN
    two = {"linked_platform": "shop", "linked_account_id": "two"}
    yield (
        "merge of two members with 10,000 events each",
        [event("identity", "link", "one", at, action="link", **two)],
        [event("identity", "unlink", "one", at + timedelta(seconds=1), action="unlink", **two)],
        "SELECT sum(events) FROM {store}.member_day FINAL WHERE member_id = 'two'",
    )
    bot = {"target_member_id": "bot", "action": "flag"}
    yield (
        "flag of a bot that wrote 30 %",
        [event("moderation", "flag", "staff", at, flagged_kind="bot", **bot)],
        [event("moderation", "unflag", "staff", at + timedelta(seconds=1), **bot)],
        "SELECT sum(events) FROM {store}.member_day FINAL WHERE member_id = 'bot' AND actor_kind = 'human'",
    )
    ids = [f"e{number * (EVENTS // HIDDEN) + 7}" for number in range(HIDDEN)]

    def moderate(action: str, when: datetime) -> list[dict[str, Any]]:
        return [event("moderation", f"{action}-{each}", "staff", when, action=action, target_id=each) for each in ids]

    shown = f"{EVENTS} - {HIDDEN}"
    yield (
        "hiding of 1,000 messages",
        moderate("hide", at),
        moderate("restore", at + timedelta(seconds=1)),
        f"SELECT toInt64(sumIf(events, family = 'message')) - ({shown}) FROM {{store}}.activity_day FINAL",
    )


def rows(warehouse: Warehouse) -> Rows:
    """Every row of every aggregate but for those of the corrections themselves, and of some views."""
    found = {}
    for aggregate in ALL:
        measures = [f"finalizeAggregation({name})" if name in aggregate.sets else name for name in aggregate.measures]
        others = "family NOT IN ('identity', 'moderation')" if "family" in aggregate.keys else "1"
        columns = ", ".join((*aggregate.keys, *measures))
        found[aggregate.name] = warehouse.rows(
            f"SELECT {columns} FROM {{store}}.{aggregate.name} FINAL WHERE {others} ORDER BY ALL"
        )
    for view in VIEWS:
        held = warehouse.rows(f"SELECT * EXCEPT (fresh_until) FROM {{db}}.{view}")
        found[view] = sorted(map(rounded, held), key=str)
    assert all(found.values()), f"nothing in {[name for name, held in found.items() if not held]}"
    return found


def rounded(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Without the last digits, which depend on the order in which numbers were added."""
    return tuple(round(value, 9) if isinstance(value, float) else value for value in row)


def table_rows(steps: Sequence[Step]) -> list[tuple[object, ...]]:
    """For the README."""
    back = {None: "", True: "yes", False: "NO"}
    return [(s.what, f"{s.published:,}", f"{s.seconds:.1f}", s.differences, back[s.as_before]) for s in steps]
