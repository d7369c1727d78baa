"""Teeth: the verdict turns red for a worker with any one guard removed, and stays green for the intact one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import pytest

from streams.kafka import lag
from streams.processors.settled import group_id
from streams.topics import by_name

from .deployment import Deployment, Lane
from .marks import Plan
from .traffic import FAMILIES, Record, traffic
from .workers import Stuck

pytestmark = [pytest.mark.connected, pytest.mark.chaos, pytest.mark.thorough]

SIDE_BY_SIDE = 5
GIVE_UP_S = 25.0


@dataclass(frozen=True)
class Scenario:
    """Two lives of a worker over two halves of an input; `plan` ends the first at an exact place."""

    name: str
    plan: Plan | None = None
    events: int = 700
    families: tuple[str, ...] = FAMILIES
    changes: dict[str, object] = field(default_factory=dict)
    first: str = ""
    second: str = ""
    """Mutants of the two lives; none in the control."""


BEFORE_INSERT = Scenario("a kill before the facts are inserted", Plan("inserting facts", nth=2, hold_s=1.0))
BEFORE_INVALIDATION = Scenario("a kill before the invalidations", Plan("publishing invalidations", nth=2, hold_s=1.0))
SLOW_BLOCK = Scenario(
    "a kill while one block waits and the next could be written",
    Plan("inserting facts", nth=1, hold_s=4.0),
    families=("message",),
    changes={"kafka__partitions": 1, "ingest__max_rows": 50},
)
TWO_LIVES = Scenario("a life after another", changes={"ingest__max_reject_ratio": 1.0})

CONTROLS = (BEFORE_INSERT, BEFORE_INVALIDATION, SLOW_BLOCK, TWO_LIVES)
BITES = {
    "acknowledge_before_the_write": BEFORE_INSERT,
    "acknowledge_when_handed_over": BEFORE_INSERT,
    "acknowledge_before_the_invalidation": BEFORE_INVALIDATION,
    "two_writers": SLOW_BLOCK,
    "versions_from_the_workers_own_clock": TWO_LIVES,
    "recompute_without_final": TWO_LIVES,
    "vanished_buckets_stay": TWO_LIVES,
    "moved_events_live_twice": TWO_LIVES,
    "one_bad_record_fails_its_batch": TWO_LIVES,
}


def mutated(mutant: str) -> Scenario:
    """The scenario in which a mutant must be seen. A clock that is ahead shows when the next worker's is not."""
    second = "" if mutant == "versions_from_the_workers_own_clock" else mutant
    return replace(BITES[mutant], first=mutant, second=second)


def play(deployment: Deployment, number: int, scenario: Scenario) -> dict[str, int]:
    """What is wrong in the end, by kind; `never settled` when the pipeline does not come to rest."""
    # Some second versions and duplicates come in the second life.
    published = traffic(number, scenario.events, families=scenario.families, poison=0.02, moved=0.05, reach=350)
    half = len(published.records) // 2
    with Lane(deployment, f"teeth{number}", **scenario.changes) as lane:
        lane.publish(published.records[:half])
        worker = lane.start(scenario.first, scenario.plan)
        if scenario.plan:
            worker.wait_end(60)
        else:
            lane.settle(60)
            worker.kill()
        lane.publish(published.records[half:])
        lane.start(scenario.second)
        try:
            lane.settle(60 if not scenario.first else GIVE_UP_S)
        except (TimeoutError, Stuck):
            if not scenario.first:
                raise
            return {"never settled": 1}
        return {kind: len(rows) for kind, rows in lane.judge(published).problems.items()}


def flood(deployment: Deployment, number: int, mutant: str) -> dict[str, int]:
    """A publisher breaks: good messages, then nothing but broken ones. How many became dead letters, and what waits."""
    window = 200
    good = traffic(number, 300, families=("message",), duplicates=0, late=0, poison=0, moved=0)
    broken = [Record("message", record.key, record.value[:-1]) for record in good.records * 10 if record.value]
    with Lane(
        deployment, f"teeth{number}", kafka__partitions=1, ingest__reject_window=window, ingest__max_rows=100
    ) as lane:
        lane.publish(good.records)
        worker = lane.start(mutant)
        worker.wait_for("invalidations acknowledged", 60)
        lane.publish(broken)
        topic = by_name["message"].topic(lane.settings.kafka.topic_prefix)
        deadline = time.monotonic() + 60
        while "partition stopped" not in worker.log_tail(200):
            left = sum(lag(lane.settings.kafka, group_id(lane.settings), [topic]).values())
            if left == 0 or time.monotonic() > deadline:
                break
            time.sleep(0.2)
        # In this order: a block before the stop may still be under way, and its dead letters are stored before it is
        # acknowledged.
        waiting = sum(lag(lane.settings.kafka, group_id(lane.settings), [topic]).values())
        [(letters,)] = lane.warehouse.rows(lane.warehouse.render("SELECT count() FROM {store}.dead_letters FINAL"))
        return {
            "dead letters past the window": max(0, int(letters) - window),
            "acknowledged without a dead letter": max(0, len(broken) - waiting - int(letters)),
        }


@pytest.fixture(scope="module")
def bites(deployment: Deployment) -> Iterator[dict[str, Future[dict[str, int]]]]:
    """All scenarios side by side: each mostly waits."""
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        running = {}
        for number, scenario in enumerate([*CONTROLS, *map(mutated, BITES)], start=500):
            running[scenario.first or scenario.name] = pool.submit(play, deployment, number, scenario)
        running["flood"] = pool.submit(flood, deployment, 600, "")
        running["no_circuit_breaker"] = pool.submit(flood, deployment, 601, "no_circuit_breaker")
        yield running


@pytest.mark.parametrize("scenario", CONTROLS, ids=lambda scenario: scenario.name)
def test_the_intact_worker_stays_green_after(bites, scenario):
    assert {} == bites[scenario.name].result()


@pytest.mark.parametrize(
    ("mutant", "expected"),
    [
        ("acknowledge_before_the_write", {"lost"}),
        ("acknowledge_when_handed_over", {"lost"}),
        ("acknowledge_before_the_invalidation", {"drift in activity_minute", "reconcile"}),
        ("two_writers", {"lost"}),
        ("versions_from_the_workers_own_clock", {"drift in activity_day", "reconcile"}),
        ("recompute_without_final", {"drift in activity_minute", "reconcile"}),
        ("vanished_buckets_stay", {"drift in activity_minute", "drift in member_day", "reconcile"}),
        ("moved_events_live_twice", {"doubled", "reconcile"}),
        ("one_bad_record_fails_its_batch", {"lost", "dead letters nobody earned"}),
    ],
)
def test_the_verdict_turns_red_for(bites, mutant, expected):
    found = bites[mutant].result()
    assert expected == expected & set(found), found


def test_a_broken_publisher_stops_its_partition_and_not_more_than_a_window_is_dead_lettered(bites):
    assert {"dead letters past the window": 0, "acknowledged without a dead letter": 0} == bites["flood"].result()


def test_the_flood_turns_red_for_no_circuit_breaker(bites):
    found = bites["no_circuit_breaker"].result()
    assert found["dead letters past the window"] > 2000, found
