"""What the tables of the pipeline hold, and what a plain Python fold of the facts says they must hold.

Both sides are dicts of the same shape: key columns -> measures, for any aggregate; sets of members are frozensets of
their ids. A new aggregate is folded without a change here unless it has a key or a measure that no other one has.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import xxhash
from oracle import Event, Oracle, Rituals, bucket, event_time, fold, none_declared, sent_at
from oracles import signs, ties
from oracles.corrections import corrected

from streams.aggregates import ALL, Aggregate
from streams.clickhouse import Warehouse

Rows = dict[tuple[Any, ...], tuple[Any, ...]]

VALUE, RECEIVED_MS = "_value", "_received_ms"
"""Keys under which a delivered event carries its bytes and the timestamp of its record; no field is called so."""

SKEW_MS = 300_000


def received(event: Event) -> datetime:
    return datetime.fromtimestamp(event[RECEIVED_MS] // 1000, UTC).replace(microsecond=event[RECEIVED_MS] % 1000 * 1000)


def believed_time(event: Event) -> datetime:
    """The time a bucket goes by: `occurred_at`, or the minute of the receive time when it is too far ahead of that."""
    at = event_time(event)
    ahead = at - received(event)
    return received(event).replace(second=0, microsecond=0) if ahead.total_seconds() * 1000 > SKEW_MS else at


def winner(one: Event, other: Event) -> Event:
    """Of two versions sent at the same time: the greater hash of the bytes, in 21 bits; then the earlier minute."""

    def rank(event: Event) -> tuple[int, float]:
        return xxhash.xxh3_64_intdigest(event[VALUE]) >> 43, -bucket(believed_time(event), "minute").timestamp()

    if rank(one) == rank(other) and one[VALUE] != other[VALUE]:
        raise AssertionError("two contents with the same 21 bits of hash: once in two million; run again")
    return max(one, other, key=rank)


def fold_delivered(events: Iterable[Event]) -> Oracle:
    """The oracle of events that carry their bytes and receive times."""
    return fold(events, tie=winner, time_of=believed_time)


def local_day(at: datetime, zone: str) -> datetime:
    """The midnight of the local date of a moment, as if it were UTC."""
    date = at.astimezone(ZoneInfo(zone)).date()
    return datetime(date.year, date.month, date.day, tzinfo=UTC)


KEYS: dict[str, Callable[[Oracle, Event, Aggregate], Any]] = {
    "community_id": lambda oracle, fact, aggregate: fact["community_id"],
    "start": lambda oracle, fact, aggregate: (
        local_day(oracle.time_of(fact), oracle.zone_of(fact["community_id"]))
        if aggregate.local
        else bucket(oracle.time_of(fact), aggregate.grain)
    ),
    "family": lambda oracle, fact, aggregate: fact["family"],
    "platform": lambda oracle, fact, aggregate: fact["platform"],
    "actor_kind": lambda oracle, fact, aggregate: fact.get("actor_kind", "human"),
    "member_id": lambda oracle, fact, aggregate: fact["member_id"],
}

MEASURES: dict[str, Callable[[Oracle, list[Event]], Any]] = {
    "events": lambda oracle, facts: len(facts),
    "members": lambda oracle, facts: frozenset(fact["member_id"] for fact in facts),
    "first_at": lambda oracle, facts: min(map(oracle.time_of, facts)),
    "last_at": lambda oracle, facts: max(map(oracle.time_of, facts)),
}


def corrected_facts(oracle: Oracle) -> list[Event]:
    """The facts of an oracle, corrections applied."""

    def hosts_of(community: str) -> dict[str, str]:
        return {name: ritual.host_id for name, ritual in oracle.rituals_of(community).items()}

    return corrected(oracle.facts.values(), oracle.time_of, hosts_of)


def conversations_of(oracle: Oracle, community: str) -> set[str]:
    """Conversations that rituals of a community name."""
    return {ritual.conversation_id for ritual in oracle.rituals_of(community).values() if ritual.conversation_id}


WHOLE: dict[str, Callable[[Oracle], Rows]] = {
    "tie_minute": lambda oracle: ties.stored_rows(corrected_facts(oracle), oracle.time_of),
    "sign_hour": lambda oracle: signs.stored_rows(
        corrected_facts(oracle), oracle.time_of, conversations_of=partial(conversations_of, oracle)
    ),
}
"""Tables whose rows are not made of one fact each: an oracle of their own gives all rows."""


def folded(aggregate: Aggregate, oracle: Oracle) -> Rows:
    """Rows of an aggregate, by a loop over the facts as corrected."""
    if aggregate.name in WHOLE:
        return WHOLE[aggregate.name](oracle)
    groups: dict[tuple[Any, ...], list[Event]] = defaultdict(list)
    for fact in corrected_facts(oracle):
        groups[tuple(KEYS[key](oracle, fact, aggregate) for key in aggregate.keys)].append(fact)
    return {key: tuple(MEASURES[name](oracle, facts) for name in aggregate.measures) for key, facts in groups.items()}


def corrected_oracle(oracle: Oracle) -> Oracle:
    """The oracle of the facts as corrected."""
    facts = {(fact["community_id"], fact["event_id"]): fact for fact in corrected_facts(oracle)}
    return Oracle(facts, oracle.time_of, oracle.duplicates)


def in_world(*worlds: str) -> str:
    """SQL that is true for the communities of some worlds; without any, for all."""
    chosen = " OR ".join(f"(community_id >= '{world}' AND community_id < '{world[:-1]}/')" for world in worlds)
    return f"({chosen})" if chosen else "1"


def stored(warehouse: Warehouse, aggregate: Aggregate, names: Iterable[str], *worlds: str) -> Rows:
    """Rows of an aggregate as they are stored. `names` are members that may be found in its sets.

    A set is read element by element: the engine keeps sipHash128 of each (a count would not tell who they are).
    """
    known = {}
    if aggregate.sets:
        literal = sorted(set(names))
        hashed = warehouse.rows("SELECT arrayMap(n -> hex(sipHash128(n)), {names:Array(String)})", {"names": literal})
        known = dict(zip(hashed[0][0], literal, strict=True))
    measures = [f"hex({name})" if name in aggregate.sets else name for name in aggregate.measures]
    columns = ", ".join((*aggregate.keys, *measures))
    found = warehouse.rows(f"SELECT {columns} FROM {{store}}.{aggregate.name} FINAL WHERE {in_world(*worlds)}")
    width = len(aggregate.keys)
    rows: Rows = {}
    for row in found:
        values = [
            elements(value, known) if name in aggregate.sets else value
            for name, value in zip(aggregate.measures, row[width:], strict=True)
        ]
        key = tuple(row[:width])
        assert key not in rows, f"{aggregate.name} has two live rows of {key}"
        rows[key] = tuple(values)
    return rows


def elements(state: str, names: dict[str, str]) -> frozenset[str]:
    """Members of a uniqExact state in hexadecimal: a varint with their number, then 16 bytes of hash each."""
    count, position = 0, 0
    while True:
        byte = int(state[position : position + 2], 16)
        count |= (byte & 0x7F) << (position // 2 * 7)
        position += 2
        if byte < 0x80:
            break
    hashes = [state[at : at + 32] for at in range(position, len(state), 32)]
    assert count == len(hashes) == len(set(hashes))
    return frozenset(names.get(each, f"unknown {each}") for each in hashes)


FACT_COLUMNS = ("type", "platform", "member_id", "actor_kind", "minute", "event_time", "occurred_at", "sent_at", "text")


def stored_facts(warehouse: Warehouse, *worlds: str) -> Rows:
    """(community, event id) -> what it is known for. Raises AssertionError for an event that lives twice."""
    columns = ", ".join(FACT_COLUMNS)
    found = warehouse.rows(
        f"SELECT community_id, event_id, {columns} FROM {{store}}.events FINAL WHERE {in_world(*worlds)}"
    )
    rows: Rows = {}
    for community, event_id, *values in found:
        assert (community, event_id) not in rows, f"{event_id} of {community} lives twice"
        rows[community, event_id] = tuple(values)
    return rows


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def folded_facts(oracle: Oracle) -> Rows:
    """The same from the oracle."""
    return {
        key: (
            fact["type"],
            fact["platform"],
            fact["member_id"],
            fact.get("actor_kind", "human"),
            bucket(oracle.time_of(fact), "minute"),
            oracle.time_of(fact),
            event_time(fact),
            max(EPOCH, sent_at(fact)),
            fact.get("text", ""),
        )
        for key, fact in oracle.facts.items()
    }


def check(
    warehouse: Warehouse,
    oracle: Oracle,
    *worlds: str,
    zone_of: Callable[[str], str] = lambda community: "UTC",
    rituals_of: Rituals = none_declared,
) -> None:
    """Facts and every aggregate there is are what the fold of the input says, under these settings."""
    oracle = replace(oracle, zone_of=zone_of, rituals_of=rituals_of)
    assert folded_facts(oracle) == stored_facts(warehouse, *worlds)
    names = {name for fact in oracle.facts.values() for name in names_in(fact)}
    for aggregate in ALL:
        assert folded(aggregate, oracle) == stored(warehouse, aggregate, names, *worlds), aggregate.name


def names_in(fact: Event) -> list[str]:
    """What a member may be called because of a fact."""
    return [fact["member_id"], fact.get("linked_account_id", "")]


def together(oracles: Iterable[Oracle]) -> Oracle:
    """One oracle of several worlds."""
    facts: dict[tuple[str, str], Event] = {}
    for oracle in oracles:
        facts |= oracle.facts
    return Oracle(facts, believed_time)
