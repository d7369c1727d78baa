"""What goes wrong between a platform and Kafka: drops, duplicates, late delivery and broken records."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from heapq import heappop, heappush
from random import Random
from typing import Any, NamedTuple

Event = dict[str, Any]

MAX_HELD = 100_000  # events held back at one time; past it the one that is due first goes out early


@dataclass(frozen=True)
class Drop:
    """Engagement of a community falls: `share` (0..1) of its events in [start, end) never happen."""

    community_id: str
    start: datetime
    end: datetime
    share: float = 0.7


class Broken(NamedTuple):
    """A record that no publisher would send: raw bytes for the topic of a family.

    `kind` says what is wrong with it (a key of BREAKAGES); `key` is the Kafka key it would have.
    """

    family: str
    key: bytes
    value: bytes
    kind: str


def inject(
    events: Iterable[Event],
    seed: int,
    *,
    drop: Drop | None = None,
    duplicates: float = 0.0,
    late: float = 0.0,
    max_lateness: timedelta = timedelta(hours=6),
    broken: float = 0.0,
    report: Counter[str] | None = None,
) -> Iterator[Event | Broken]:
    """The delivery order of events in order of event time, with faults; shares are 0..1 of the events.

    A dropped event never comes. A duplicate is the very event again, delivered up to `max_lateness` of event time
    later. A late event is delivered only then, instead of in its place. A broken record is a spoilt copy that comes
    before its intact event: what is valid in `events` and not dropped is always delivered, at least once.

    `report` is counted up as the stream is read: dropped, delivered (valid ones, with duplicates), duplicated, late,
    broken, and broken.<kind>. Equal arguments give equal streams. At most MAX_HELD events are held back.
    """
    rng = Random(f"faults/{seed}")
    count = Counter() if report is None else report
    held: list[tuple[datetime, int, Event]] = []
    lateness_s = max_lateness.total_seconds()
    number = 0

    def hold(event: Event, now: datetime) -> None:
        heappush(held, (now + timedelta(seconds=rng.uniform(1, max(1.0, lateness_s))), number, event))

    for event in events:
        number += 1
        if drop is not None or held or duplicates or late:
            now = datetime.fromisoformat(event["occurred_at"])
            while held and (held[0][0] <= now or len(held) > MAX_HELD):
                count["delivered"] += 1
                yield heappop(held)[2]
            if (
                drop is not None
                and event["community_id"] == drop.community_id
                and drop.start <= now < drop.end
                and rng.random() < drop.share
            ):
                count["dropped"] += 1
                continue
        if broken and rng.random() < broken:
            record = spoil(event, rng)
            count["broken"] += 1
            count[f"broken.{record.kind}"] += 1
            yield record
        if late and rng.random() < late:
            count["late"] += 1
            hold(event, now)
        else:
            count["delivered"] += 1
            yield event
        if duplicates and rng.random() < duplicates:
            count["duplicated"] += 1
            hold(event, now)
    while held:
        count["delivered"] += 1
        yield heappop(held)[2]


def spoil(event: Event, rng: Random) -> Broken:
    """A broken copy of an event, of a kind drawn by chance."""
    kind = rng.choice(tuple(BREAKAGES))
    key = f"{event['community_id']}/{event['member_id']}".encode()
    return Broken(event["type"], key, BREAKAGES[kind](event), kind)


def _json(event: Any) -> bytes:
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()


def _with(**fields: Any) -> Callable[[Event], bytes]:
    return lambda event: _json(event | fields)


def _without(field: str) -> Callable[[Event], bytes]:
    return lambda event: _json({key: value for key, value in event.items() if key != field})


def _deep(event: Event) -> bytes:
    nested = b"[" * 2_000 + b"]" * 2_000
    return _json(event)[:-1] + b',"nested":' + nested + b"}"


# By what is wrong. Every one must end in the dead letters.
BREAKAGES: dict[str, Callable[[Event], bytes]] = {
    "truncated_json": lambda event: _json(event)[: len(_json(event)) // 2],
    "not_json": lambda event: b"<event id='" + event["event_id"].encode() + b"'/>",
    "a_list": lambda event: _json([event]),
    "empty_batch": lambda event: b"[]",
    "empty": lambda event: b"",
    "invalid_utf8": lambda event: _json(event).replace(event["member_id"].encode(), b"\xff\xfe\xc3", 1),
    "nul": lambda event: _json(event | {"member_id": event["member_id"] + "\0"}),
    "deep": _deep,
    "wrong_type": _with(member_id=17),
    "missing_id": _without("event_id"),
    "no_zone": lambda event: _json(event | {"occurred_at": event["occurred_at"].rstrip("Z")}),
    "year_1970": _with(occurred_at="1970-01-01T00:00:00Z"),
    "year_2100": _with(occurred_at="2100-01-01T00:00:00Z"),
    "unknown_version": _with(schema_version=99),
    "unknown_type": _with(type="telepathy"),
    "huge_id": lambda event: _json(event | {"event_id": event["event_id"] * 200}),
}
