"""Law 4, crash anywhere: killed, refused or left without an answer at any write, then restarted -> equal rows.

The writes are numbered in a dry run: every insert, recompute, removal, publish and acknowledgement there is, also of
an aggregate that is added later. Each case is a world of its own in one log and one warehouse. Worlds that go through
the same crash go through it together, and all are recovered by one worker at the end, which makes all pairs affordable.
What a worker lives through (a write that is refused, or done without an answer) is broken in lots, in one life each.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from folds import Rows, folded, folded_facts, stored, stored_facts
from histories import BODIES, NOW, Delivery, rfc3339, rituals_of, send
from oracle import Oracle
from pipeline import Crash, Faults, Kind, Lab, Log

from streams.aggregates import ALL, Aggregate
from streams.processors.progress import Partition

pytestmark = pytest.mark.connected

CRASHES = pytest.mark.parametrize("crashes", ["once", pytest.param("twice", marks=pytest.mark.thorough)])
RECEIVED_MS = int(NOW.timestamp() * 1000)
PLACES = 2
"""Partitions of each topic that a world has."""
APART = 8
"""Of so many writes one is broken in one life: what makes up for it begins again with the first of its stage, and
stages have fewer."""


def delivery(event_id: str, family: str, minutes: float, sent_s: int | None = None, **fields: Any) -> Delivery:
    """An event so many minutes before NOW."""
    event = {
        "event_id": event_id,
        "type": family,
        "platform": "wechat",
        "community_id": "tea",
        "member_id": "ann",
        "occurred_at": rfc3339(NOW - timedelta(minutes=minutes), 0),
        **BODIES[family],
        **fields,
    }
    if sent_s is not None:
        event["sent_at"] = rfc3339(NOW + timedelta(seconds=sent_s), 0)
    return Delivery(family, event, b"", RECEIVED_MS)


YEAR = 70 * 1440
"""Minutes: back in the year before, which is another partition of every table."""

BEFORE = [
    delivery("moves", "message", 10, 1),
    delivery("moves a year", "message", YEAR + 1, 1),
    delivery("stays", "order", 10, member_id="bo"),
    delivery("leaves an empty day", "check_in", 3 * 1440, 1, member_id="bo"),
    delivery("edited", "message", 70, 1),
    # In hours in which nothing else happens: whom they reached is said by events that come, or change, later.
    delivery("answers the edited", "message", 5 * 60, member_id="bo", reply_to="edited"),
    delivery("likes the one that moves", "reaction", 7 * 60, member_id="bo", target_id="moves"),
    delivery("answers the new", "message", 9 * 60, member_id="bo", reply_to="awaited"),
    delivery("joins", "identity", 80, 1, linked_account_id="cy"),
    delivery("hides", "moderation", 80, 1, action="hide", target_member_id="", target_id="stays"),
    delivery("flags", "moderation", 80, 1, action="flag", target_member_id="cy", flagged_kind="staff"),
    delivery("cy at the shop", "order", 85, member_id="cy", platform="shop"),
]
"""Stored and recomputed before anything breaks, so that there are rows to take back."""

THEN = [
    delivery("moves", "message", 9, 2),
    delivery("moves a year", "message", 5, 2),
    delivery("leaves an empty day", "check_in", 4, 2, member_id="bo"),
    delivery("edited", "message", 70, 2, text="changed", actor_kind="bot"),
    delivery("edited", "message", 70, 1),
    delivery("new", "message", 11, member_id="cy", community_id="pot"),
    delivery("late", "order", YEAR + 1, member_id="cy"),
    delivery("awaited", "message", 12, member_id="cy"),
    delivery("joins", "identity", 80, 2, linked_account_id="bo"),
    delivery("hides", "moderation", 80, 2, action="restore", target_member_id="", target_id="stays"),
    delivery("hides more", "moderation", 2, action="hide", target_member_id="", target_id="new"),
    delivery("flags", "moderation", 80, 2, action="flag", target_member_id="bo", flagged_kind="bot"),
    replace(delivery("", "message", 0), event=None, poison=b'{"type":'),
]


@dataclass(frozen=True)
class Case:
    """One world, what is done to it, and what it must come to."""

    world: str
    label: str
    oracle: Oracle


class Ground:
    """A log in which each world has partitions of its own, and workers that own some worlds."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.log = Log(place=self.place)
        self.cases: list[Case] = []

    @staticmethod
    def place(key: bytes) -> int:
        world, _, rest = key.partition(b".")
        return int(world[1:] or 0) * PLACES + (b"pot" in rest) if world[:1] == b"w" else 0

    def settle(self, labels: list[str]) -> list[Case]:
        """New worlds in which BEFORE is all done, and THEN is waiting."""
        prefix = self.lab.settings.kafka.topic_prefix
        made = []
        for label in labels:
            world = self.lab.world()
            send(BEFORE, self.log, prefix, world)
            made.append(Case(world, label, send(BEFORE + THEN, Log(), prefix, world)))
        self.lab.drain(self.log)
        for case in made:
            send(THEN, self.log, prefix, case.world)
        self.cases += made
        return made

    def run(self, cases: list[Case], faults: Faults) -> list[str]:
        """A worker for some worlds, until it is done or dead; returns the names of its writes."""
        mine = {self.place(case.world.encode()) // PLACES for case in cases}

        def is_mine(partition: Partition) -> bool:
            return partition[1] // PLACES in mine

        worker = self.lab.worker(self.log, faults, mine=is_mine)
        with suppress(Crash):
            self.lab.run(worker.drain())
        return faults.names


@dataclass(frozen=True)
class Verdict:
    """Every case after recovery: what it must hold and what it holds."""

    ground: Ground
    writes: list[str]
    fired: dict[str, bool]
    actual: dict[str, Rows]
    facts: Rows

    def expected(self, aggregate: Aggregate) -> Rows:
        rows: Rows = {}
        for case in self.ground.cases:
            rows |= folded(aggregate, replace(case.oracle, rituals_of=rituals_of))
        return rows

    def differing(self, expected: Rows, actual: Rows) -> list[str]:
        """Labels of the cases whose rows differ."""
        worlds = {
            key[0].split(".")[0] + "."
            for key in expected.keys() | actual.keys()
            if expected.get(key) != actual.get(key)
        }
        return [case.label for case in self.ground.cases if case.world in worlds]


def judged(ground: Ground, writes: list[str], fired: dict[str, bool]) -> Verdict:
    lab = ground.lab
    lab.drain(ground.log)
    actual = {each.name: stored(lab.warehouse, each, ["ann", "bo", "cy"]) for each in ALL}
    return Verdict(ground, writes, fired, actual, stored_facts(lab.warehouse))


def deaths(write: str) -> tuple[Kind, ...]:
    """How a write can end a worker in ways that differ."""
    if write.startswith("acknowledge"):
        # Taken without the worker knowing is what is left by a kill before the next write; the last has no next.
        return ("before", "reply lost") if "invalidations" in write else ("before",)
    if write.startswith("publish"):
        return ("before", "half", "reply lost")
    # A statement is done or not; half of a batch of rows may be there.
    return ("before", "half") if write.startswith("insert") else ("before",)


def outlived(writes: list[str]) -> Iterator[dict[str, int]]:
    """Every write that is made again by a worker that lives on, in lots: its name, and which of that name it is."""
    asked = [
        (name, writes[: at + 1].count(name))
        for at, name in enumerate(writes)
        if not name.startswith(("acknowledge", "publish"))
    ]
    for first in range(APART):
        lot = asked[first::APART]
        assert len({name for name, _ in lot}) == len(lot), f"two of one name cannot be told apart: {lot}"
        yield dict(lot)


@pytest.fixture(scope="module")
def once(warehouse_server: Any, lab: Lab) -> Iterator[Verdict]:
    """Each write broken once, in each way there is."""
    ground = Ground(lab)
    writes = list(ground.run(ground.settle(["undisturbed"]), Faults()))
    plan = {f"{kind}: {name} ({at})": Faults(at, kind) for at, name in enumerate(writes) for kind in deaths(name)}
    away: tuple[Kind, ...] = ("refused", "reply lost")
    for lot in outlived(writes):
        plan |= {f"{kind}: {', '.join(lot)}": Faults(kind=kind, each=dict(lot)) for kind in away}
    fired = {}
    for case in ground.settle(list(plan)):
        faults = plan[case.label]
        ground.run([case], faults)
        fired[case.label] = faults.fired if faults.at is not None else not faults.each
    return judged(ground, writes, fired)


@pytest.fixture(scope="module")
def twice(lab: Lab, once: Verdict) -> Verdict:
    """Killed before each write, and its successor before each write of its own: all ordered pairs."""
    ground = Ground(lab)
    writes = list(ground.run(ground.settle(["undisturbed"]), Faults(group_acks=True)))
    acknowledged = writes.index("acknowledge events")
    # A successor that finds only invalidations makes as many writes as come after that, and cannot be killed at more.
    pairs = [
        (first, second)
        for first in range(len(writes))
        for second in range(len(writes) if first <= acknowledged else len(writes) - acknowledged - 1)
    ]
    cases = dict(zip(pairs, ground.settle([f"{first}, {second}" for first, second in pairs]), strict=True))
    fired = {}
    for first in range(len(writes)):
        faults = Faults(first, "before", group_acks=True)
        ground.run([case for pair, case in cases.items() if pair[0] == first], faults)
        fired[f"{first}"] = faults.fired
    for second in range(len(writes)):
        # Successors that begin with the events, and those that find only invalidations, make different writes.
        for from_events in (True, False):
            faults = Faults(second, "before", group_acks=True)
            group = [
                case for pair, case in cases.items() if pair[1] == second and (pair[0] <= acknowledged) == from_events
            ]
            if group:
                ground.run(group, faults)
            fired[f"{second} of {'all' if from_events else 'rollup'}"] = faults.fired
    return judged(ground, writes, fired)


def ours(verdict: Verdict, rows: Rows) -> Rows:
    """Rows of this verdict's worlds: both verdicts share a warehouse."""
    worlds = {case.world for case in verdict.ground.cases}
    return {key: row for key, row in rows.items() if key[0].split(".")[0] + "." in worlds}


@pytest.mark.parametrize("aggregate", ALL, ids=lambda aggregate: aggregate.name)
def test_one_crash_at_any_write_changes_no_row(once: Verdict, aggregate: Aggregate) -> None:
    expected, actual = once.expected(aggregate), ours(once, once.actual[aggregate.name])
    assert [] == once.differing(expected, actual)
    assert expected == actual


@pytest.mark.thorough
@pytest.mark.parametrize("aggregate", ALL, ids=lambda aggregate: aggregate.name)
def test_two_crashes_at_any_writes_change_no_row(twice: Verdict, aggregate: Aggregate) -> None:
    expected, actual = twice.expected(aggregate), ours(twice, twice.actual[aggregate.name])
    assert [] == twice.differing(expected, actual)
    assert expected == actual


@CRASHES
def test_every_event_lives_once_whatever_crashed(crashes: str, request: pytest.FixtureRequest) -> None:
    verdict: Verdict = request.getfixturevalue(crashes)
    expected: Rows = {}
    for case in verdict.ground.cases:
        expected |= folded_facts(case.oracle)
    assert expected == ours(verdict, verdict.facts)


@CRASHES
def test_every_write_there_is_was_broken(crashes: str, request: pytest.FixtureRequest) -> None:
    verdict: Verdict = request.getfixturevalue(crashes)
    tables = {f"{verb} {aggregate.name}" for aggregate in ALL for verb in ("recompute", "remove from")}
    corrected = ("linked_accounts", "member_standing", "hidden_events")
    others = {f"insert {table}" for table in corrected} | {"insert corrections"}
    others |= {"recompute corrections"}
    others |= {"insert events", "insert event_keys", "insert dead_letters", "publish dead_letters.v1"}
    others |= {"publish invalidations.v1", "acknowledge events", "acknowledge invalidations"}
    assert tables | others == set(verdict.writes)
    assert [] == [label for label, fired in verdict.fired.items() if not fired and label not in never(verdict)]


def never(verdict: Verdict) -> set[str]:
    """Breaks of a successor that cannot be reached: one that finds only invalidations makes fewer writes."""
    last = verdict.writes.index("acknowledge events")
    return {f"{second} of rollup" for second in range(len(verdict.writes) - last - 1, len(verdict.writes))}


@CRASHES
def test_poison_is_one_dead_letter_whatever_crashed(lab: Lab, crashes: str, request: pytest.FixtureRequest) -> None:
    verdict: Verdict = request.getfixturevalue(crashes)
    poison = b'{"type":'
    rows = lab.warehouse.rows(
        "SELECT community_id, count(), any(lower(hex(value))) FROM {store}.dead_letters FINAL GROUP BY community_id"
    )
    worlds = {case.world for case in verdict.ground.cases}
    expected = sorted((f"{world}poison", 1, poison.hex()) for world in worlds)
    assert expected == sorted(row for row in rows if row[0].split(".")[0] + "." in worlds)
    assert {poison} == {record.value for record in verdict.ground.log.of(lab.dead_letter_topic)}
