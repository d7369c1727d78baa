"""Seeded input with what platforms do wrong: duplicates, late events, ids sent twice with two contents, poison."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, NamedTuple

import xxhash
from oracle import Oracle, event_time, fold

from streams.simulate.faults import BREAKAGES

Event = dict[str, Any]

START = datetime(2026, 3, 2, tzinfo=UTC)
FAMILIES = ("message", "message", "message", "reaction", "reaction", "check_in", "order", "review", "membership")
LATEST = timedelta(days=30)
REACH = 3000
"""A second delivery comes at most so many records after the first."""


class Record(NamedTuple):
    """Something to publish: the family's topic, key and value."""

    family: str
    key: bytes
    value: bytes | None


@dataclass
class Traffic:
    """Records in the order in which they are published, and what is known of them."""

    seed: int
    records: list[Record] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    """Every valid event, once for each time that it is published."""
    poison: list[Record] = field(default_factory=list)
    duplicates: int = 0
    late: int = 0
    moved: int = 0

    def oracle(self) -> Oracle:
        """What the pipeline must hold once all of it is published."""
        return fold(self.events, tie=beats)


def traffic(
    seed: int,
    count: int,
    *,
    duplicates: float = 0.05,
    late: float = 0.05,
    poison: float = 0.01,
    moved: float = 0.01,
    families: Sequence[str] = FAMILIES,
    communities: int = 12,
    reach: int = REACH,
) -> Traffic:
    """`count` distinct valid events over six hours and these shares of faults beside them; equal seed, equal input."""
    rng = Random(f"traffic/{seed}")
    made = Traffic(seed)
    later: dict[int, list[Event]] = defaultdict(list)
    for number in range(count):
        for event in later.pop(number, ()):
            send(made, event)
        event = fresh(rng, number, START + timedelta(hours=6) * (number / count), families, communities)
        if rng.random() < late:
            made.late += 1
            event["occurred_at"] = shifted(event, -LATEST * rng.random())
        send(made, event)
        if rng.random() < duplicates:
            made.duplicates += 1
            later[number + rng.randint(1, reach)].append(event)
        if rng.random() < moved:
            made.moved += 1
            later[number + rng.randint(1, reach)].append(another_version(rng, event))
        if rng.random() < poison:
            spoilt = Record(event["type"], key_of(event), spoil(rng, event))
            made.records.append(spoilt)
            made.poison.append(spoilt)
    for number in sorted(later):
        for event in later[number]:
            send(made, event)
    return made


def fresh(rng: Random, number: int, at: datetime, families: Sequence[str], communities: int) -> Event:
    """A new event; half of the events say when they were sent."""
    family = rng.choice(families)
    event = {
        "event_id": f"e{number}",
        "type": family,
        "platform": rng.choice(("chat", "forum")),
        "community_id": f"community-{int(communities * rng.random() ** 2)}",
        "member_id": f"member-{int(60 * rng.random() ** 2)}",
        "occurred_at": text(at + timedelta(milliseconds=rng.randrange(60_000))),
    }
    if rng.random() < 0.08:
        event["actor_kind"] = rng.choice(("bot", "staff"))
    if rng.random() < 0.5:
        event["sent_at"] = shifted(event, timedelta(milliseconds=rng.randrange(5_000)))
    return event | FIELDS[family](rng, number)


FIELDS = {
    "message": lambda rng, number: {"text": rng.choice(("早上好", "anyone tried it?", f"#{number}", "说得对"))},
    "reaction": lambda rng, number: {"target_id": f"e{rng.randrange(number + 1)}", "reaction": "👍"},
    "check_in": lambda rng, number: {"ritual": "morning run"},
    "order": lambda rng, number: {
        "order_id": f"o{number}",
        "status": "paid",
        "amount": f"{rng.randrange(1, 900)}.{rng.randrange(100):02}",
        "currency": "CNY",
    },
    "review": lambda rng, number: {"product_id": f"p{rng.randrange(9)}", "rating": rng.randint(1, 5)},
    "membership": lambda rng, number: {"action": rng.choice(("join", "leave"))},
}


def another_version(rng: Random, event: Event) -> Event:
    """The same id with other contents, sent before or after: at another time, or in the same minute under another key.

    The second kind leaves a bucket's row empty without the event leaving the minute.
    """
    other = dict(event)
    if rng.random() < 0.6:
        minutes = rng.choice((-1, 1)) * rng.uniform(1.5, 3 * 24 * 60)
        other["occurred_at"] = shifted(event, timedelta(minutes=minutes))
    else:
        other["platform"] = "forum" if event["platform"] == "chat" else "chat"
    if rng.random() < 0.3:
        other["member_id"] = f"member-{rng.randrange(60)}"  # so it may come through another partition
    if "sent_at" in event and rng.random() < 0.7:
        other["sent_at"] = shifted(event | {"occurred_at": event["sent_at"]}, timedelta(seconds=rng.uniform(-90, 90)))
    return other


def spoil(rng: Random, event: Event) -> bytes | None:
    """A broken copy; now and then a record without a value."""
    kind = rng.choice((*BREAKAGES, "tombstone"))
    return None if kind == "tombstone" else BREAKAGES[kind](event)


def shifted(event: Event, by: timedelta) -> str:
    """`occurred_at` moved by some time."""
    return text(datetime.fromisoformat(event["occurred_at"]) + by)


def text(at: datetime) -> str:
    """A UTC time as platforms write it."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def send(made: Traffic, event: Event) -> None:
    """Put a valid event at the end."""
    made.records.append(Record(event["type"], key_of(event), encoded(event)))
    made.events.append(event)


def key_of(event: Event) -> bytes:
    """The Kafka key of an event."""
    return f"{event['community_id']}/{event['member_id']}".encode()


def encoded(event: Event) -> bytes:
    """An event as it is published."""
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()


def beats(one: Event, other: Event) -> Event:
    """Of two versions sent at the same time the one with the greater content hash wins, then the earlier one."""
    return max(one, other, key=lambda event: (xxhash.xxh3_64_intdigest(encoded(event)) >> 43, -minute(event)))


def minute(event: Event) -> int:
    """The minute of an event, since the epoch."""
    return int(event_time(event).timestamp()) // 60
