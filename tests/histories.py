"""Histories of a community for Hypothesis: what platforms may send, on the borders where buckets go wrong."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from folds import RECEIVED_MS, VALUE, fold_delivered
from hypothesis import strategies as st
from oracle import Declared, Event, Oracle
from pipeline import Log

from streams.communities.settings import Ritual
from streams.topics import by_name

NOW = datetime(2024, 3, 10, 12, 0, tzinfo=UTC)
"""When the first record arrives; more come within minutes."""

BORDERS = [
    datetime(2024, 3, 9, 23, 59, 59, 999_000, tzinfo=UTC),  # last ms of a minute, an hour and a day
    datetime(2024, 3, 10, 0, 0, 0, 0, tzinfo=UTC),
    datetime(2024, 3, 10, 0, 0, 59, 999_900, tzinfo=UTC),  # cut off, not rounded
    datetime(2024, 3, 10, 0, 1, tzinfo=UTC),
    datetime(2024, 3, 10, 0, 59, 59, 999_000, tzinfo=UTC),
    datetime(2024, 3, 10, 1, 0, tzinfo=UTC),
    datetime(2023, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC),  # another partition of the tables
    datetime(2024, 1, 1, tzinfo=UTC),
    datetime(2024, 2, 29, 23, 59, 30, tzinfo=UTC),
]
AHEAD = [NOW + timedelta(minutes=30), NOW + timedelta(days=100)]
"""Times of a clock that is wrong: bucketed by receive time."""

NAMES = ["tea", "{db}'\\"]
"""Communities of a world."""

BODIES: dict[str, dict[str, Any]] = {
    "message": {"text": "早 ' \\ {store} 👋"},
    "reaction": {"target_id": "e1", "reaction": "👍"},
    "check_in": {"ritual": "晨读"},
    "order": {"order_id": "o1", "status": "paid", "amount": "12.50", "currency": "CNY"},
    "review": {"product_id": "p1", "rating": 4},
    "membership": {"action": "join", "role": "host", "stage": "new"},
    "identity": {"action": "link", "linked_platform": "shop", "linked_account_id": "a1"},
    "moderation": {"action": "flag", "target_member_id": "m1", "flagged_kind": "bot"},
}

RITUALS = {"晨读": Ritual.model_validate({"every": "day", "at": "07:00", "host_id": "ann", "conversation_id": "hall"})}
"""What every community of a law declares, by default."""


def rituals_of(community: str) -> dict[str, Declared]:
    """The same for the oracle."""
    return {name: Declared(ritual.host_id, ritual.conversation_id) for name, ritual in RITUALS.items()}


POISON = [b"{", b"", b"\xff\xfe", b'{"type":"message"}', b"[" * 500, b"null"]


@dataclass(frozen=True)
class Delivery:
    """One record on its way to a family's topic; `event` is None when it is poison."""

    family: str
    event: Event | None
    poison: bytes
    received_ms: int

    def send(self, log: Log, prefix: str, world: str) -> Event | None:
        """Append it to a log; returns the event as the oracle takes it."""
        topic = by_name[self.family].topic(prefix)
        if self.event is None:
            log.append(topic, f"{world}poison/m".encode(), self.poison, self.received_ms)
            return None
        event = self.event | {"community_id": world + self.event["community_id"]}
        value = json.dumps(event, ensure_ascii=False).encode()
        log.append(topic, f"{event['community_id']}/{event['member_id']}".encode(), value, self.received_ms)
        return event | {VALUE: value, RECEIVED_MS: self.received_ms}


def send(deliveries: list[Delivery], log: Log, prefix: str, world: str) -> Oracle:
    """Append deliveries to a log; returns what must come of them."""
    return fold_delivered(event for each in deliveries if (event := each.send(log, prefix, world)) is not None)


def rfc3339(at: datetime, zone_minutes: int) -> str:
    return at.astimezone(timezone(timedelta(minutes=zone_minutes))).isoformat()


times = st.one_of(
    st.sampled_from(BORDERS),
    st.sampled_from(AHEAD),
    st.integers(0, 3 * 3_600_000).map(lambda ms: NOW - timedelta(hours=13) + timedelta(milliseconds=ms)),
)


ACCOUNTS = ["ann", "bo", "曹", "a1"]

CORRECTIONS = {
    "identity": st.fixed_dictionaries(
        {
            "action": st.sampled_from(["link", "link", "unlink"]),
            "linked_platform": st.sampled_from(["wechat", "shop"]),
            "linked_account_id": st.sampled_from(ACCOUNTS),
        }
    ),
    "moderation": st.fixed_dictionaries(
        {
            "action": st.sampled_from(["hide", "hide", "restore", "flag", "flag", "erase"]),
            "target_id": st.sampled_from(["", "e1", "e2", "e3"]),
            "target_member_id": st.sampled_from(["", *ACCOUNTS]),
            "flagged_kind": st.sampled_from(["", "human", "bot", "staff"]),
        }
    ),
}
"""Who is linked with whom, and what is moderated: every event may come to be about itself or about what comes later."""


@st.composite
def events(draw: st.DrawFn, ids: int = 6) -> Event:
    """One contract event; few ids, so that the same one comes again with another time, content or family."""
    family = draw(st.sampled_from(sorted(BODIES)))
    event: Event = {
        "event_id": f"e{draw(st.integers(1, ids))}",
        "type": family,
        "platform": draw(st.sampled_from(["wechat", "shop"])),
        "community_id": draw(st.sampled_from(NAMES)),
        "member_id": draw(st.sampled_from(["ann", "bo", "曹"])),
        "occurred_at": rfc3339(draw(times), draw(st.sampled_from([0, 480, -210]))),
        **BODIES[family],
    }
    if family == "message":
        event["conversation_id"] = draw(st.sampled_from(["", "lobby", "hall"]))
        event["text"] += draw(st.sampled_from(["", "!", " Thanks, 怎么办？"]))
        if draw(st.booleans()):
            event["reply_to"] = f"e{draw(st.integers(1, ids))}"
        if draw(st.booleans()):
            event["mentions"] = draw(st.lists(st.sampled_from(["ann", "bo", "dee"]), min_size=1, max_size=2))
    if family == "reaction":
        event["target_id"] = f"e{draw(st.integers(1, ids))}"
        event["action"] = draw(st.sampled_from(["add", "remove"]))
    if family in CORRECTIONS:
        event |= draw(CORRECTIONS[family])
    kind = draw(st.sampled_from([None, "human", "bot", "staff", "test"]))
    if kind:
        event["actor_kind"] = kind
    sent = draw(st.sampled_from([None, 0, 1, 2]))
    if sent is not None:
        event["sent_at"] = rfc3339(NOW + timedelta(seconds=sent), 0)
    return event


arrivals = st.integers(0, 150_000).map(lambda ms: int(NOW.timestamp() * 1000) + ms)


@st.composite
def event_deliveries(draw: st.DrawFn) -> Delivery:
    event = draw(events())
    return Delivery(event["type"], event, b"", draw(arrivals))


@st.composite
def poison_deliveries(draw: st.DrawFn) -> Delivery:
    return Delivery(draw(st.sampled_from(sorted(BODIES))), None, draw(st.sampled_from(POISON)), draw(arrivals))


deliveries = st.one_of(*[event_deliveries()] * 7, poison_deliveries())


@st.composite
def edited(draw: st.DrawFn, delivery: Delivery) -> Delivery:
    """Another version of an event at the same time: another member, kind, family or content."""
    assert delivery.event is not None
    kept = {name: delivery.event[name] for name in ("event_id", "community_id", "occurred_at")}
    event = draw(events()) | kept
    return Delivery(event["type"], event, b"", draw(st.just(delivery.received_ms) | arrivals))


@st.composite
def histories(draw: st.DrawFn, min_size: int = 1, max_size: int = 30) -> list[Delivery]:
    """What arrives, in the order in which it was sent."""
    history = draw(st.lists(deliveries, min_size=min_size, max_size=max_size))
    real = [delivery for delivery in history if delivery.event is not None]
    again = draw(st.lists(st.sampled_from(real), max_size=8)) if real else []
    return history + [draw(edited(delivery)) for delivery in again]
