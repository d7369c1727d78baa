"""Law 1, replay: shuffled, duplicated, split into any batches -> equal rows. Law 2: equal to a plain Python fold.

One example is some histories and several ways to deliver each, all in worlds of their own; the worlds go through the
pipeline together, so that a step of all of them costs what a step of one does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from folds import check, together
from histories import Delivery, arrivals, histories, rituals_of, send
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oracle import Oracle
from pipeline import Lab, Log

pytestmark = pytest.mark.connected

SIDE_BY_SIDE = 3
"""Histories of one example."""

some = settings(
    max_examples=5,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


@dataclass(frozen=True)
class Schedule:
    """A way to deliver a history: its records in some order, some of them twice, cut into pieces."""

    order: list[Delivery]
    pieces: int


@st.composite
def schedules(draw: st.DrawFn, history: list[Delivery]) -> Schedule:
    order = draw(st.permutations(history))
    again = draw(st.lists(st.tuples(st.sampled_from(history), st.none() | arrivals), max_size=10))
    # Delivered again by Kafka, or published again: then it has another time of receipt.
    copies = [replace(each, received_ms=received_ms or each.received_ms) for each, received_ms in again]
    return Schedule([*order, *copies], draw(st.integers(1, 3)))


def deliver(lab: Lab, worlds: list[Schedule]) -> dict[str, Oracle]:
    """Every world in its pieces, all worlds side by side; what each must come to."""
    log = Log()
    worker = lab.worker(log)
    names = [lab.world() for _ in worlds]
    sent: list[list[Delivery]] = [[] for _ in worlds]
    for step in range(max(schedule.pieces for schedule in worlds)):
        for name, schedule, so_far in zip(names, worlds, sent, strict=True):
            size = -(-len(schedule.order) // schedule.pieces)
            piece = schedule.order[step * size : (step + 1) * size]
            send(piece, log, lab.settings.kafka.topic_prefix, name)
            so_far += piece
        lab.run(worker.drain())
    prefix = lab.settings.kafka.topic_prefix
    return {name: send(order, Log(), prefix, name) for name, order in zip(names, sent, strict=True)}


@some
@given(st.data())
def test_shuffled_duplicated_and_split_input_gives_the_rows_of_the_fold(lab: Lab, data: st.DataObject) -> None:
    worlds = []
    for _ in range(SIDE_BY_SIDE):
        history = data.draw(histories())
        worlds += [Schedule(history, 1), Schedule(history + history, 2)]
        worlds += [data.draw(schedules(history)) for _ in range(4)]
    delivered = deliver(lab, worlds)
    check(lab.warehouse, together(delivered.values()), *delivered, rituals_of=rituals_of)


@some
@given(st.lists(histories(max_size=20), min_size=SIDE_BY_SIDE, max_size=SIDE_BY_SIDE))
def test_an_event_that_comes_last_gives_the_rows_it_would_have_given_first(
    lab: Lab, lives: list[list[Delivery]]
) -> None:
    """Law 3, for each event of a history in turn: everything else is recomputed before it comes."""
    log, late = Log(), Log()
    prefix = lab.settings.kafka.topic_prefix
    worker = lab.worker(log)
    worlds = {lab.world(): (history, last) for history in lives for last in range(len(history))}
    for name, (history, last) in worlds.items():
        send(history[:last] + history[last + 1 :], log, prefix, name)
    lab.run(worker.drain())
    for name, (history, last) in worlds.items():
        send([history[last]], log, prefix, name)
    lab.run(worker.drain())
    truth = together(send(history, late, prefix, name) for name, (history, _) in worlds.items())
    check(lab.warehouse, truth, *worlds, rituals_of=rituals_of)
