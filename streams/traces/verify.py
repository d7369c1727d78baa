"""What the warehouse must say after a replay: a plain Python fold of the events, compared with the analysts' views.

It shares nothing with the recompute it judges: no SQL aggregation, no decoder. Only who is whom is folded by the same
code.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, NamedTuple, Protocol

from streams.identity.fold import FAMILIES, Account, Correction
from streams.identity.fold import fold as fold_corrections

Key = tuple[Any, ...]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
GRAINS_S = {"minute": 60, "hour": 3600, "day": 86_400}
ENGAGED = frozenset({"message", "reaction", "check_in", "order", "review"})
CONTRIBUTING = frozenset({"message", "review"})

# View, its key columns and its measures, as they are read; starts in seconds, times in milliseconds since 1970.
SEGMENT = ("community_id", "toUnixTimestamp(start)", "family", "platform", "actor_kind")
MEMBER = ("community_id", "toUnixTimestamp(start)", "member_id", "family", "platform", "actor_kind")
TIMES = ("toUnixTimestamp64Milli(first_at)", "toUnixTimestamp64Milli(last_at)")
TOTALS = ("events", "members", "engaged_members", "contributing_members")


class Readable(Protocol):
    """As much of the warehouse as is needed."""

    def rows(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Rows of a query."""

    def render(self, sql: str) -> str:
        """SQL with the names of the databases."""


class Difference(NamedTuple):
    """A row on which the warehouse and the fold disagree; None where one of them has no such row."""

    view: str
    key: Key
    expected: Key | None
    actual: Key | None


class Fact(NamedTuple):
    """What is counted of an event; `ms` since 1970."""

    ms: int
    family: str
    platform: str
    kind: str
    member_id: str


@dataclass
class Fold:
    """Distinct facts of events that are versions of nothing: the first of each (community_id, event_id) counts.

    `counted`: the kinds of actors that totals count. Counts of a segment's members below
    `smallest_cohort` are None.
    """

    counted: Collection[str] = ("human",)
    smallest_cohort: int = 1
    facts: dict[tuple[str, str], Fact] = field(default_factory=dict)
    corrections: dict[str, dict[str, Correction]] = field(default_factory=lambda: defaultdict(dict))

    def add(self, event: Mapping[str, Any]) -> None:
        """Take in one event."""
        ms = (datetime.fromisoformat(event["occurred_at"]) - EPOCH) // timedelta(milliseconds=1)
        community, event_id = event["community_id"], event["event_id"]
        if (community, event_id) in self.facts:
            return
        self.facts[community, event_id] = Fact(
            ms, event["type"], event["platform"], event.get("actor_kind", "human"), event["member_id"]
        )
        if event["type"] in FAMILIES:
            said = {name: event[name] for name in Correction._fields if name in event}
            self.corrections[community][event_id] = Correction(at_ms=ms, **said)

    @cached_property
    def corrected(self) -> dict[tuple[str, str], Fact]:
        """The facts that count, with the person in the place of the account and the kind that moderation says.

        Ask when all events are in.
        """
        states = {community: fold_corrections(said.values()) for community, said in self.corrections.items()}
        found = {}
        for (community, event_id), fact in self.facts.items():
            if (state := states.get(community)) is not None:
                person = state.person(Account(fact.platform, fact.member_id))
                standing = state.standing.get(person)
                if event_id in state.hidden or (standing and standing.hidden):
                    continue
                kind = (standing and standing.actor_kind) or fact.kind
                fact = fact._replace(member_id=person, kind=kind)
            found[community, event_id] = fact
        return found

    @property
    def communities(self) -> list[str]:
        """Ids of the communities, sorted."""
        return sorted({community for community, _ in self.facts})

    def views(self) -> Iterator[tuple[str, Sequence[str], Sequence[str], dict[Key, Key]]]:
        """Each view with its key columns, measures, and the rows it must have."""
        events: dict[Key, int] = defaultdict(int)
        for community, _ in self.corrected:
            events[(community,)] += 1
        yield "events", ("community_id",), ("count()",), {key: (n,) for key, n in events.items()}
        for grain, seconds in GRAINS_S.items():
            yield f"activity_{grain}_by_segment", SEGMENT, ("events", "members"), self._segments(seconds)
            yield f"activity_{grain}", SEGMENT[:2], TOTALS, self._totals(seconds)
        yield "member_day", MEMBER, ("events", *TIMES), self._members(GRAINS_S["day"])

    def _segments(self, seconds: int) -> dict[Key, Key]:
        members: dict[Key, list[str]] = defaultdict(list)
        for (community, _), (ms, family, platform, kind, member) in self.corrected.items():
            members[community, ms // 1000 // seconds * seconds, family, platform, kind].append(member)
        distinct = {key: len(set(who)) for key, who in members.items()}
        return {
            key: (len(who), distinct[key] if distinct[key] >= self.smallest_cohort else None)
            for key, who in members.items()
        }

    def _totals(self, seconds: int) -> dict[Key, Key]:
        acts: dict[Key, list[tuple[str, str]]] = defaultdict(list)
        for (community, _), (ms, family, _, kind, member) in self.corrected.items():
            if kind in self.counted:
                acts[community, ms // 1000 // seconds * seconds].append((family, member))
        return {
            key: (
                len(done),
                len({member for _, member in done}),
                len({member for family, member in done if family in ENGAGED}),
                len({member for family, member in done if family in CONTRIBUTING}),
            )
            for key, done in acts.items()
        }

    def _members(self, seconds: int) -> dict[Key, Key]:
        times: dict[Key, list[int]] = defaultdict(list)
        for (community, _), (ms, family, platform, kind, member) in self.corrected.items():
            times[community, ms // 1000 // seconds * seconds, member, family, platform, kind].append(ms)
        return {key: (len(at), min(at), max(at)) for key, at in times.items()}


def fold(events: Iterable[Mapping[str, Any]]) -> Fold:
    """The fold of some events."""
    folded = Fold()
    for event in events:
        folded.add(event)
    return folded


def differences(warehouse: Readable, expected: Fold) -> tuple[int, list[Difference]]:
    """Number of rows compared, and those that differ, over the communities of `expected`.

    The communities must hold nothing else. Raises what the warehouse raises.
    """
    compared, found = 0, []
    for view, keys, measures, rows in expected.views():
        columns = ", ".join((*keys, *measures))
        group = f" GROUP BY {', '.join(keys)}" if measures == ("count()",) else ""
        sql = f"SELECT {columns} FROM {{db}}.{view} WHERE has({{communities:Array(String)}}, community_id){group}"
        answer = warehouse.rows(warehouse.render(sql), {"communities": expected.communities})
        actual = {tuple(row[: len(keys)]): tuple(row[len(keys) :]) for row in answer}
        if len(actual) != len(answer):
            raise ValueError(f"view {view} has several rows of one key")
        compared += len(rows.keys() | actual.keys())
        found += [
            Difference(view, key, rows.get(key), actual.get(key))
            for key in sorted(rows.keys() | actual.keys())
            if rows.get(key) != actual.get(key)
        ]
    return compared, found
