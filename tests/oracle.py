"""The plain-Python fold of events that every number of the pipeline is compared with.

It shares no code with `streams`: events are contract dicts, times are parsed here, nothing of the project is imported.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache
from typing import Any, Literal, NamedTuple

Event = dict[str, Any]
Grain = Literal["minute", "hour", "day"]

NEVER = datetime.min.replace(tzinfo=UTC)
HUMANS = ("human",)
ENGAGED = frozenset({"message", "reaction", "check_in", "order", "review", "hosting"})
CONTRIBUTING = frozenset({"message", "review", "hosting"})


class ActivityKey(NamedTuple):
    """One bucket of a community, by family, platform and kind of actor; `start` is aware UTC."""

    community_id: str
    start: datetime
    family: str
    platform: str
    actor_kind: str


class Activity(NamedTuple):
    """What happened in a bucket."""

    events: int
    members: frozenset[str]


class MemberKey(NamedTuple):
    """One bucket of one member; `start` is aware UTC."""

    community_id: str
    start: datetime
    member_id: str
    family: str
    platform: str
    actor_kind: str


class MemberActivity(NamedTuple):
    """What one member did in a bucket; times are aware UTC, in whole milliseconds."""

    events: int
    first_at: datetime
    last_at: datetime


class Rolling(NamedTuple):
    """A community over a window: events and the nested distinct members."""

    events: int
    present: int
    engaged: int
    contributing: int


@cache
def instant(text: str) -> datetime:
    """A time in UTC, truncated (not rounded) to the millisecond; every fold asks for the same ones again."""
    at = datetime.fromisoformat(text).astimezone(UTC)
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def event_time(event: Event) -> datetime:
    """When it occurred, as an `instant`."""
    return instant(event["occurred_at"])


def local_hour(event: Event, zone: tzinfo) -> datetime:
    """The local time at which the hour of UTC begins that an event is in: what is kept by the hour is told by it."""
    return bucket(event_time(event), "hour").astimezone(zone)


def sent_at(event: Event) -> datetime:
    """When the publisher sent it, as an `instant`; a missing time is lower than any other."""
    return NEVER if event.get("sent_at") is None else instant(event["sent_at"])


@cache
def bucket(at: datetime, grain: Grain) -> datetime:
    """Start of the UTC bucket that holds `at`."""
    at = at.replace(second=0, microsecond=0)
    if grain == "minute":
        return at
    return at.replace(minute=0) if grain == "hour" else at.replace(minute=0, hour=0)


def refuse_tie(one: Event, other: Event) -> Event:
    """The rule when none is given: equal contents are the same fact, different ones are an error of the test."""
    if one != other:
        raise ValueError(f"event {one['event_id']} has two contents with the same sent_at: pass `tie` to fold()")
    return one


class Declared(NamedTuple):
    """What makes a difference to what is stored of a ritual that a community declared."""

    host_id: str = ""
    conversation_id: str = ""


Rituals = Callable[[str], Mapping[str, Declared]]
"""Community -> its rituals, by name."""


def none_declared(community: str) -> Mapping[str, Declared]:
    """No rituals."""
    return {}


@dataclass(frozen=True)
class Oracle:
    """The facts, and every activity number that follows from them."""

    facts: dict[tuple[str, str], Event]
    time_of: Callable[[Event], datetime] = event_time
    duplicates: int = field(default=0)
    zone_of: Callable[[str], str] = lambda community: "UTC"
    """IANA zone of a community."""
    rituals_of: Rituals = none_declared

    def activity(self, grain: Grain) -> dict[ActivityKey, Activity]:
        """Events and members of each bucket; buckets without events are absent."""
        events: dict[ActivityKey, int] = defaultdict(int)
        members: dict[ActivityKey, set[str]] = defaultdict(set)
        for fact in self.facts.values():
            start = bucket(self.time_of(fact), grain)
            key = ActivityKey(fact["community_id"], start, family_of(fact), fact["platform"], _kind(fact))
            events[key] += 1
            members[key].add(fact["member_id"])
        return {key: Activity(n, frozenset(members[key])) for key, n in events.items()}

    def member_activity(self, grain: Literal["hour", "day"]) -> dict[MemberKey, MemberActivity]:
        """Events, first and last time of each member in each bucket."""
        times: dict[MemberKey, list[datetime]] = defaultdict(list)
        for fact in self.facts.values():
            at = self.time_of(fact)
            place = (fact["community_id"], bucket(at, grain), fact["member_id"])
            times[MemberKey(*place, family_of(fact), fact["platform"], _kind(fact))].append(at)
        return {key: MemberActivity(len(ats), min(ats), max(ats)) for key, ats in times.items()}

    def rolling(
        self, at: datetime, window: timedelta, actor_kinds: Collection[str] | None = HUMANS
    ) -> dict[str, Rolling]:
        """Numbers of each community over whole minutes: the one that contains `at`, and those before it that fill up
        `window`. Communities with no event in it are absent; `actor_kinds=None` counts everybody.
        """
        until = bucket(at, "minute") + timedelta(minutes=1)
        events: dict[str, int] = defaultdict(int)
        members: dict[str, tuple[set[str], set[str], set[str]]] = defaultdict(lambda: (set(), set(), set()))
        for fact in self.facts.values():
            if not until - window <= self.time_of(fact) < until:
                continue
            if actor_kinds is not None and _kind(fact) not in actor_kinds:
                continue
            present, engaged, contributing = members[fact["community_id"]]
            events[fact["community_id"]] += 1
            present.add(fact["member_id"])
            if family_of(fact) in ENGAGED:
                engaged.add(fact["member_id"])
            if family_of(fact) in CONTRIBUTING:
                contributing.add(fact["member_id"])
        return {c: Rolling(n, *(len(group) for group in members[c])) for c, n in events.items()}


def fold(
    events: Iterable[Event],
    *,
    tie: Callable[[Event, Event], Event] = refuse_tie,
    time_of: Callable[[Event], datetime] = event_time,
) -> Oracle:
    """Fold contract dicts, in any order and with any repetitions, into facts.

    Among events of one (community_id, event_id) the greatest `sent_at` wins; between equal ones `tie(one, other)`
    returns the winner. `time_of` gives the time that buckets go by, for tests of clock skew.
    """
    facts: dict[tuple[str, str], Event] = {}
    duplicates = 0
    for event in events:
        key = (event["community_id"], event["event_id"])
        known = facts.get(key)
        if known is None:
            facts[key] = event
            continue
        duplicates += 1
        if sent_at(event) == sent_at(known):
            facts[key] = tie(known, event)
        elif sent_at(event) > sent_at(known):
            facts[key] = event
    return Oracle(facts, time_of, duplicates)


def family_of(event: Event) -> str:
    """What an event counts as: what the corrections say of it, or else its type."""
    return str(event.get("family", event["type"]))


def _kind(event: Event) -> str:
    return str(event.get("actor_kind", "human"))
