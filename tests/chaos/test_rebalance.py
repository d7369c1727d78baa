"""Two workers, one dies or only seems to: its partitions move, and what it does when it comes back changes nothing."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from .deployment import Deployment, Lane
from .marks import Plan
from .traffic import traffic
from .verdict import Verdict
from .workers import Stuck, WorkerProcess

pytestmark = [pytest.mark.connected, pytest.mark.chaos]

EVENTS = 1200
ZOMBIES = (
    "inserting facts",
    "keys inserted",
    "publishing invalidations",
    "writing buckets",
    "removing vanished buckets",
)
"""Where a worker is stopped, to come back long after another has taken over its partitions."""


def assigned(worker: WorkerProcess) -> int:
    return worker.seen().times["partitions assigned"]


def one_dies(deployment: Deployment) -> Verdict:
    """Two share the work, one is killed, the other finishes everything."""
    published = traffic(31, EVENTS)
    half = len(published.records) // 2
    with Lane(deployment, "onedies", kafka__partitions=4) as lane:
        survivor, victim = lane.start(), lane.start()
        for worker in (survivor, victim):
            worker.wait_for("partitions assigned", 60)
        lane.publish(published.records[:half])
        for worker in (survivor, victim):
            worker.wait_for("facts inserted", 60)
        before = assigned(survivor)
        victim.kill()
        lane.publish(published.records[half:])
        survivor.wait_for("partitions assigned", 60, times=before + 1)
        lane.settle()
        assert survivor.alive, survivor.log_tail()
        assert [survivor, victim] == lane.workers, "nobody else helped"
        return lane.judge(published)


def one_comes_back(deployment: Deployment, step: str) -> Verdict:
    """One of two is stopped in the middle of a step until the other has done everything, and then goes on."""
    number = ZOMBIES.index(step)
    published = traffic(40 + number, EVENTS, moved=0.04)
    third = len(published.records) // 3
    with Lane(deployment, f"zombie{number}", kafka__partitions=4, ingest__max_rows=60) as lane:
        zombie, other = lane.start(plan=Plan(step, nth=2, hold_s=0.4, kill=False)), lane.start()
        for worker in (zombie, other):
            worker.wait_for("partitions assigned", 60)
        lane.publish(published.records[:third])
        zombie.wait_for(step, 60, times=2)
        zombie.signal(signal.SIGSTOP)
        before = assigned(other)
        lane.publish(published.records[third : 2 * third])
        other.wait_for("partitions assigned", 60, times=before + 1)
        lane.settle()
        back = assigned(zombie)
        zombie.signal(signal.SIGCONT)
        lane.publish(published.records[2 * third :])
        rejoined(zombie, back + 1)
        lane.settle()
        return lane.judge(published)


def rejoined(zombie: WorkerProcess, times: int) -> None:
    """It is in the group again, or it noticed that it cannot go on and ended: both are right."""
    try:
        zombie.wait_for("partitions assigned", 60, times)
        time.sleep(1.0)  # what it had begun is over
    except Stuck:
        if zombie.alive:
            raise


@pytest.fixture(scope="module")
def returns(deployment: Deployment) -> Iterator[dict[str, Future[Verdict]]]:
    with ThreadPoolExecutor(3) as pool:
        yield {step: pool.submit(one_comes_back, deployment, step) for step in ZOMBIES}


def test_the_partitions_of_a_killed_worker_move_and_nothing_is_lost_or_double(deployment):
    verdict = one_dies(deployment)
    assert verdict.clean, verdict
    assert EVENTS == verdict.facts


@pytest.mark.thorough
@pytest.mark.parametrize("step", ZOMBIES)
def test_a_worker_that_comes_back_after_its_partitions_moved_changes_nothing_when_stopped_at(returns, step):
    verdict = returns[step].result()
    assert verdict.clean, verdict
    assert EVENTS == verdict.facts
