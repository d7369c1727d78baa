"""When a stage of the rollup is due: it waits and rests while more is coming, longer in a backlog, never for ever."""

from __future__ import annotations

import time

import pytest
from pipeline import Lab, Log

from streams.processors.rollup import LAST_S, QUIET, Rollup

pytestmark = pytest.mark.connected


@pytest.fixture
def rollup(lab: Lab) -> Rollup:
    return lab.worker(Log(partitions=1)).rollup


def test_a_stage_rests_only_while_more_is_coming(rollup: Rollup) -> None:
    now = 1000.0
    minute, deferred = rollup.stages[0], rollup.stages[-1]
    assert rollup.due_at(3) is None
    rollup.last_offer = now
    minute.add({"tea": [0]}, {}, [], now)
    deferred.add({"tea": [0]}, {}, [], now)
    assert now + rollup.settings.minute_s == rollup.due_at(0)
    # Minutes are dirty still, so more will be.
    assert now + rollup.settings.deferred_s == rollup.due_at(3)
    deferred.took, deferred.rests_from = 50.0, now
    assert now + 450 == pytest.approx(rollup.due_at(3))
    minute.running = minute.take()
    assert now + 450 == pytest.approx(rollup.due_at(3))
    minute.running = None
    assert now + QUIET * rollup.settings.minute_s == rollup.due_at(3)


def test_a_stage_rests_longer_while_a_backlog_is_read_and_not_after_its_end(rollup: Rollup) -> None:
    minute, now = rollup.stages[0], time.monotonic() + 100
    rollup.settings = rollup.settings.model_copy(update={"minute_s": 60.0})
    minute.duty, minute.took, minute.rests_from = 0.5, 200.0, now
    rollup.last_offer = now + 1000
    minute.add({"tea": [0]}, {}, [], now)
    assert now + 200 == pytest.approx(rollup.due_at(0))
    rollup.progress.wrote(1, 0, time.monotonic())
    assert now + 200 * (1 - 0.2) / 0.2 == pytest.approx(rollup.due_at(0))
    rollup.progress.wrote(0.1, 0, time.monotonic())
    assert now + 200 == pytest.approx(rollup.due_at(0))
    rollup.last_offer = now
    assert now + LAST_S == rollup.due_at(0)


def test_what_is_dirty_waits_for_more_from_the_last_full_block_on_and_not_for_ever(rollup: Rollup) -> None:
    now = 1000.0
    deferred, wait_s = rollup.stages[-1], rollup.settings.deferred_s
    rollup.last_offer = now + 1000 * wait_s
    deferred.add({"tea": [0]}, {}, [], now)
    rollup.progress.wrote(0.9, 0, now + 0.5 * wait_s)
    assert now + wait_s == rollup.due_at(3)
    rollup.progress.wrote(1, 0, now + wait_s)
    assert now + 2 * wait_s == rollup.due_at(3)
    rollup.progress.wrote(1, 0, now + 20 * wait_s)
    assert now + 10 * wait_s == pytest.approx(rollup.due_at(3))


def test_a_stage_waits_for_those_before_it_to_be_done_with_a_backlog_and_not_for_ever(rollup: Rollup) -> None:
    now = 1000.0
    minute, hour, wait_s = rollup.stages[0], rollup.stages[1], rollup.settings.hour_s
    rollup.last_offer = now + 1000
    hour.add({"tea": [0]}, {}, [], now)
    minute.add({"tea": [0]}, {}, [], now + 5)
    minute.came_at = now + 1
    rollup.progress.wrote(1, 0, now + 2)
    at_last = pytest.approx(now + wait_s / (hour.duty * rollup.settings.backlog_duty))
    assert at_last == rollup.due_at(1)
    minute.running = minute.take()
    assert at_last == rollup.due_at(1)
    minute.running = None
    # What came after the last full block is no backlog.
    minute.add({"tea": [0]}, {}, [], now + 5)
    minute.came_at = now + 3
    assert now + 2 + wait_s == rollup.due_at(1)


def test_corrections_wait_while_more_is_coming_and_not_for_long(rollup: Rollup) -> None:
    now = 1000.0
    minute, quiet_s, wait_s = rollup.stages[0], QUIET * rollup.settings.minute_s, rollup.settings.corrections_s
    assert not rollup.may_hold_corrections(0, now)
    minute.correct("tea", ["a"], now)
    minute.add({"tea": [0]}, {}, [], now)
    rollup.last_offer = now
    assert now + rollup.settings.minute_s == rollup.due_at(0)
    assert rollup.may_hold_corrections(0, now + quiet_s - 0.01)
    assert not rollup.may_hold_corrections(0, now + quiet_s)
    assert {} == minute.take(hold_corrections=True).corrections
    # Nothing else is dirty: they are due when it is quiet, or, when it never is, after their time.
    assert now + quiet_s == rollup.due_at(0)
    rollup.last_offer = now + wait_s - 0.01
    minute.correct("tea", ["b"], now + 1)
    assert now + wait_s == rollup.due_at(0)
    assert not rollup.may_hold_corrections(0, now + wait_s)
    rollup.progress.wrote(1, 0, now + wait_s)
    rollup.last_offer = now + 10 * wait_s
    # Minutes may take half of the time, so it is twice the wait at the most.
    assert now + 2 * wait_s == rollup.due_at(0)
    assert rollup.may_hold_corrections(0, now + 2 * wait_s - 0.01)
    assert {"tea": {"a", "b"}} == minute.take().corrections
    assert rollup.due_at(0) is None
