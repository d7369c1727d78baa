"""A state machine over log, workers and the real engine: whatever happens in whatever order, the rows are the fold's.

Published, published again, corrected, poison, taken in and recomputed in pieces, killed at any write, refused, left
without an answer, paused amid a write and woken up after another worker went on, moved to another worker and back,
restated, communities moved to other zones, and rituals given to other hosts.
25 runs of at most 20 steps.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from folds import check, fold_delivered
from histories import (
    CORRECTIONS,
    NAMES,
    NOW,
    RITUALS,
    Delivery,
    arrivals,
    event_deliveries,
    poison_deliveries,
    rituals_of,
)
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test
from oracle import Declared, Event
from pipeline import KINDS, BreakableWarehouse, Crash, Faults, Kind, Lab, Log, Worker

from streams.communities.apply import apply
from streams.communities.settings import Community, CommunitySettings
from streams.processors.invalidations import Invalidation, encode
from streams.reconcile import restate

pytestmark = pytest.mark.connected

ZONES = ["UTC", "America/New_York", "Asia/Kolkata"]
"""NOW is the day on which clocks change in New York."""

correction_deliveries = event_deliveries().filter(lambda delivery: delivery.family in CORRECTIONS)
limits = st.sampled_from([None, None, 1, 3])
breaks = st.one_of(st.none(), st.tuples(st.integers(0, 5), st.sampled_from(KINDS)))


async def until_held(task: asyncio.Task[Any], faults: Faults) -> None:
    while not task.done() and not faults.held.is_set():  # noqa: ASYNC110 - a thread sets it
        await asyncio.sleep(1)


class Machine(RuleBasedStateMachine):
    lab: Lab

    def __init__(self) -> None:
        super().__init__()
        self.world = self.lab.world()
        self.log = Log(partitions=2)
        self.other = self.lab.worker(self.log)
        self.worker = self.lab.worker(self.log)
        self.paused: tuple[asyncio.Task[None], Worker] | None = None
        self.events: list[Event] = []
        self.sent: list[Delivery] = []
        self.poison: list[bytes] = []
        self.zone = "UTC"
        self.host = "ann"

    def attempt(self, work: Coroutine[Any, Any, Any], broken: tuple[int, Kind] | None) -> None:
        """Let the worker do something, with a fault at one of its next writes; a killed worker gets a successor."""
        faults = self.worker.faults
        faults.at, faults.kind = (len(faults.names) + broken[0], broken[1]) if broken else (None, "before")
        faults.fired = False
        try:
            self.lab.run(work)
        except Crash:
            self.worker = self.lab.worker(self.log)
        faults.at = None

    @rule(deliveries=st.lists(event_deliveries(), min_size=1, max_size=6))
    def publish(self, deliveries: list[Delivery]) -> None:
        for delivery in deliveries:
            event = delivery.send(self.log, self.lab.settings.kafka.topic_prefix, self.world)
            assert event is not None
            self.events.append(event)
            self.sent.append(delivery)

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def publish_again(self, data: st.DataObject) -> None:
        self.publish([replace(data.draw(st.sampled_from(self.sent)), received_ms=data.draw(arrivals))])

    @rule(corrections=st.lists(correction_deliveries, min_size=1, max_size=3))
    def correct(self, corrections: list[Delivery]) -> None:
        """Merge, unmerge, flag, hide, restore, erase."""
        self.publish(corrections)

    @rule(delivery=poison_deliveries())
    def publish_poison(self, delivery: Delivery) -> None:
        delivery.send(self.log, self.lab.settings.kafka.topic_prefix, self.world)
        self.poison.append(delivery.poison)

    @rule(limit=limits, broken=breaks)
    def take_in(self, limit: int | None, broken: tuple[int, Kind] | None) -> None:
        self.attempt(self.worker.take_in(limit), broken)

    @rule(limit=limits)
    def listen(self, limit: int | None) -> None:
        self.lab.run(self.worker.listen(limit))

    @rule(stage=st.integers(0, 3), broken=breaks)
    def recompute(self, stage: int, broken: tuple[int, Kind] | None) -> None:
        self.attempt(self.worker.flush(stage), broken)

    @rule(broken=breaks)
    def drain(self, broken: tuple[int, Kind] | None) -> None:
        self.attempt(self.worker.drain(), broken)

    @rule()
    def kill(self) -> None:
        self.worker = self.lab.worker(self.log)

    @precondition(lambda self: self.paused is None)
    @rule(writes=st.integers(0, 12))
    def pause(self, writes: int) -> None:
        """The worker stops before one of its next writes, for so long that another one takes over."""
        faults = self.worker.faults
        faults.at, faults.fired, faults.hold = len(faults.names) + writes, False, True
        task = self.lab.start(self.worker.drain())
        self.lab.run(until_held(task, faults))
        if faults.held.is_set():
            self.paused = task, self.worker
            self.worker = self.lab.worker(self.log)
        else:
            self.lab.finish(task)
            faults.hold, faults.at = False, None

    @precondition(lambda self: self.paused is not None)
    @rule(told=st.booleans())
    def wake(self, told: bool) -> None:
        """It goes on with that write, knowing or not that its partitions are another's."""
        assert self.paused is not None
        task, worker = self.paused
        self.paused = None
        worker.told = told
        worker.faults.let_go.set()
        self.lab.finish(task)

    @rule()
    def move(self) -> None:
        """The partitions move to another worker that has been there for a while, and perhaps had them before."""
        self.worker, self.other = self.other, self.worker
        self.worker.take_over()

    # A worker that was paused before would bring back days of the zone that was: a known limit.
    @precondition(lambda self: self.paused is None)
    @rule(zone=st.sampled_from(ZONES), killed_at=st.none() | st.integers(0, 12))
    def move_zone(self, zone: str, killed_at: int | None) -> None:
        self.zone = zone
        with suppress(Crash):
            self.apply(Faults(killed_at))

    @precondition(lambda self: self.paused is None)
    @rule(host=st.sampled_from(["", "ann", "bo", "a1"]), killed_at=st.none() | st.integers(0, 12))
    def appoint(self, host: str, killed_at: int | None) -> None:
        """The ritual of one community gets another host; the other community has the default."""
        self.host = host
        with suppress(Crash):
            self.apply(Faults(killed_at))

    def rituals_of(self, community: str) -> dict[str, Declared]:
        """What the communities declare."""
        return {"晨读": Declared(self.host, "lobby")} if community.endswith(NAMES[0]) else rituals_of(community)

    def apply(self, faults: Faults) -> None:
        """Put the settings of the communities of this world in force."""

        def tell(told: Sequence[Invalidation]) -> None:
            for each in told:
                self.log.append(self.worker.invalidations, each.community_id.encode(), encode(each), 0)

        own = {
            name: ritual.model_copy(update={"host_id": self.host, "conversation_id": "lobby"})
            for name, ritual in RITUALS.items()
        }
        wanted = CommunitySettings(
            defaults=Community(rituals=RITUALS),
            communities={
                self.world + NAMES[0]: Community(zone=self.zone, rituals=own),
                self.world + NAMES[1]: Community(zone=self.zone),
            },
        )
        warehouse: Any = BreakableWarehouse(self.lab.warehouse, faults)
        apply(warehouse, wanted, tell)

    @precondition(lambda self: self.events)
    @rule()
    def restate(self) -> None:
        communities = {event["community_id"] for event in self.events}
        day = NOW.replace(hour=0)
        restate(
            self.lab.settings, self.lab.warehouse, day - timedelta(days=1), day + timedelta(days=1), list(communities)
        )

    def teardown(self) -> None:
        if self.paused is not None:
            self.wake(told=False)
        # Whoever was killed while applying is followed by somebody who applies the same.
        self.apply(Faults())
        self.lab.drain(self.log)
        check(
            self.lab.warehouse,
            fold_delivered(self.events),
            self.world,
            zone_of=lambda community: self.zone,
            rituals_of=self.rituals_of,
        )
        ends = {partition: len(records) for partition, records in self.log.records.items()}
        ours = [self.lab.topic(family) for family in {delivery.family for delivery in self.sent}]
        assert {p: end for p, end in ends.items() if p[0] in ours} == {
            p: self.log.committed[p] for p in ends if p[0] in ours
        }
        rows = self.lab.warehouse.rows(
            f"SELECT hex(value) FROM {{store}}.dead_letters FINAL WHERE community_id = '{self.world}poison'"
        )
        assert sorted(value.hex().upper() for value in self.poison) == sorted(value for (value,) in rows)


@pytest.mark.parametrize("lives", [6, pytest.param(25, marks=pytest.mark.thorough)])
def test_whatever_happens_the_rows_are_those_of_the_fold(lab: Lab, lives: int) -> None:
    machine = type("Machine", (Machine,), {"lab": lab})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=lives,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
        ),
    )
