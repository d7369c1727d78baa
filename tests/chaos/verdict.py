"""Whether what the pipeline holds equals what a plain fold of the input says; every difference counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from oracle import Oracle, event_time

from streams.clickhouse import Warehouse
from streams.kafka import committed, end_offsets
from streams.processors.settled import group_id
from streams.reconcile import reconcile
from streams.settings import Settings
from streams.topics import ALL, by_name
from streams.topics.internal import INVALIDATIONS

from .traffic import Record, Traffic

GRAINS = ("minute", "hour", "day")


@dataclass
class Verdict:
    """What differs. Clean when nothing does."""

    facts: int = 0
    poison: int = 0
    lost: list[Any] = field(default_factory=list)
    """Events that were published and are not there."""
    doubled: list[Any] = field(default_factory=list)
    """Events that live more than once, or that nobody published."""
    wrong: list[Any] = field(default_factory=list)
    """Events whose surviving version is not the one that wins."""
    poison_lost: list[Any] = field(default_factory=list)
    poison_extra: list[Any] = field(default_factory=list)
    drift: dict[str, list[Any]] = field(default_factory=dict)
    """Aggregate -> rows that are missing, different or too many."""
    unreconciled: list[Any] = field(default_factory=list)
    uncommitted: list[Any] = field(default_factory=list)
    """Partitions whose committed offset is not their end."""

    @property
    def problems(self) -> dict[str, list[Any]]:
        """Everything that is not as it must be, by kind."""
        found = {
            "lost": self.lost,
            "doubled": self.doubled,
            "wrong version": self.wrong,
            "poison lost": self.poison_lost,
            "dead letters nobody earned": self.poison_extra,
            **{f"drift in {name}": rows for name, rows in self.drift.items()},
            "reconcile": self.unreconciled,
            "offsets": self.uncommitted,
        }
        return {kind: rows for kind, rows in found.items() if rows}

    @property
    def clean(self) -> bool:
        """Nothing lost, nothing double, no drift."""
        return not self.problems

    def __str__(self) -> str:
        counts = f"facts {self.facts:,}, dead letters {self.poison:,}"
        if self.clean:
            return f"{counts}: lost 0, double 0, drift 0"
        shown = [f"{kind}: {len(rows):,}, such as {rows[:3]}" for kind, rows in self.problems.items()]
        return counts + "".join(f"\n  {line}" for line in shown)


def judge(settings: Settings, warehouse: Warehouse, published: Traffic) -> Verdict:
    """Hold facts, dead letters, every aggregate row and the offsets of a settled pipeline against the fold."""
    oracle = published.oracle()
    verdict = Verdict()
    judge_facts(verdict, warehouse, oracle)
    judge_dead_letters(verdict, settings, warehouse, published.poison)
    for grain in GRAINS:
        compare(verdict, f"activity_{grain}", activity(warehouse, grain), expected_activity(oracle, grain))
    for grain in GRAINS[1:]:
        compare(verdict, f"member_{grain}", members(warehouse, grain), expected_members(oracle, grain))
    # The sets of members are compared above by their size, here by their elements.
    verdict.unreconciled = [repr(difference) for difference in reconcile(warehouse, settle_s=0)]
    judge_offsets(verdict, settings)
    return verdict


def judge_facts(verdict: Verdict, warehouse: Warehouse, oracle: Oracle) -> None:
    """One live row of each event, of the version that wins."""
    rows = warehouse.rows(
        warehouse.render(
            "SELECT community_id, event_id, type, platform, member_id, actor_kind, "
            "toUnixTimestamp64Milli(event_time), text FROM {store}.events FINAL"
        )
    )
    verdict.facts = len(rows)
    expected = {
        key: (
            event["type"],
            event["platform"],
            event["member_id"],
            event.get("actor_kind", "human"),
            milliseconds(event_time(event)),
            event.get("text", ""),
        )
        for key, event in oracle.facts.items()
    }
    seen: Counter[tuple[str, str]] = Counter()
    for community, event_id, *content in rows:
        key = (community, event_id)
        seen[key] += 1
        if key not in expected:
            verdict.doubled.append((*key, "never published"))
        elif tuple(content) != expected[key]:
            verdict.wrong.append((*key, tuple(content), expected[key]))
    verdict.doubled += [(*key, times) for key, times in seen.items() if times > 1]
    verdict.lost = [key for key in expected if key not in seen]


def judge_dead_letters(verdict: Verdict, settings: Settings, warehouse: Warehouse, poison: Iterable[Record]) -> None:
    """Every poisoned record, byte for byte, once; and nothing else."""
    rows = warehouse.rows(
        warehouse.render("SELECT topic, hex(key), value_is_null, hex(value) FROM {store}.dead_letters FINAL")
    )
    verdict.poison = len(rows)
    prefix = settings.kafka.topic_prefix
    expected = Counter(
        (by_name[record.family].topic(prefix), record.key, record.value is None, record.value or b"")
        for record in poison
    )
    stored = Counter((topic, bytes.fromhex(key), bool(null), bytes.fromhex(value)) for topic, key, null, value in rows)
    verdict.poison_lost = list((expected - stored).elements())
    verdict.poison_extra = list((stored - expected).elements())


def judge_offsets(verdict: Verdict, settings: Settings) -> None:
    """What is settled is committed to its end, and never past it."""
    prefix = settings.kafka.topic_prefix
    ends = end_offsets(settings.kafka, [family.topic(prefix) for family in ALL] + [INVALIDATIONS.topic(prefix)])
    reached = committed(settings.kafka, group_id(settings))
    verdict.uncommitted = [
        (*partition, f"committed {reached.get(partition, 0)} of {end}")
        for partition, end in sorted(ends.items())
        if reached.get(partition, 0) != end
    ]


def compare(verdict: Verdict, name: str, stored: list[tuple[Any, Any]], expected: dict[Any, Any]) -> None:
    """Note every row of an aggregate that is missing, different, double or too many."""
    held = dict(stored)
    rows = [(key, held.get(key), wanted) for key, wanted in expected.items() if held.get(key) != wanted]
    rows += [(key, value, None) for key, value in held.items() if key not in expected]
    if len(held) != len(stored):
        rows.append(("rows with one key", len(stored), len(held)))
    if rows:
        verdict.drift[name] = rows


def activity(warehouse: Warehouse, grain: str) -> list[tuple[Any, Any]]:
    """Stored rows of an activity table: key -> (events, members)."""
    rows = warehouse.rows(
        warehouse.render(
            "SELECT community_id, toUnixTimestamp(start), family, platform, actor_kind, events, "
            f"finalizeAggregation(members) FROM {{store}}.activity_{grain} FINAL"
        )
    )
    return [(tuple(row[:5]), tuple(row[5:])) for row in rows]


def expected_activity(oracle: Oracle, grain: Any) -> dict[Any, Any]:
    """The same from the fold."""
    return {
        (key.community_id, int(key.start.timestamp()), key.family, key.platform, key.actor_kind): (
            value.events,
            len(value.members),
        )
        for key, value in oracle.activity(grain).items()
    }


def members(warehouse: Warehouse, grain: str) -> list[tuple[Any, Any]]:
    """Stored rows of a member table: key -> (events, first, last), times in ms."""
    rows = warehouse.rows(
        warehouse.render(
            "SELECT community_id, toUnixTimestamp(start), member_id, family, platform, actor_kind, events, "
            "toUnixTimestamp64Milli(first_at), toUnixTimestamp64Milli(last_at) "
            f"FROM {{store}}.member_{grain} FINAL"
        )
    )
    return [(tuple(row[:6]), tuple(row[6:])) for row in rows]


def expected_members(oracle: Oracle, grain: Any) -> dict[Any, Any]:
    """The same from the fold."""
    return {
        (key.community_id, int(key.start.timestamp()), key.member_id, key.family, key.platform, key.actor_kind): (
            value.events,
            milliseconds(value.first_at),
            milliseconds(value.last_at),
        )
        for key, value in oracle.member_activity(grain).items()
    }


def milliseconds(at: Any) -> int:
    """Since the epoch, exactly."""
    return int(at.timestamp()) * 1000 + at.microsecond // 1000
