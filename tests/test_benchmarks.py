"""Benchmarks ask every view that analysts have, and what they ask can be answered; they tell the cost of every step."""

from __future__ import annotations

import re

import pytest
from pipeline import Lab

from benchmarks import report
from benchmarks.__main__ import quick
from benchmarks.bench import Result
from benchmarks.steps import growth
from benchmarks.views import PANELS, QUICK_MS, WHOLE, Latency, questions, view_of
from streams.aggregates import ALL
from streams.catalog.comments import views


def test_every_view_of_the_catalog_is_asked_as_a_panel() -> None:
    of_all = {view for sql in WHOLE.values() for view in re.findall(r"\{db\}\.(\w+)", sql)}
    asked = {view_of(panel) for panel in PANELS} | of_all
    assert set(views()) == asked


@pytest.mark.connected
def test_every_panel_can_be_answered(lab: Lab) -> None:
    asked = list(questions({"busiest": "tea-house"}, "2026-03-04 12:00:00"))
    assert len(PANELS) + len(WHOLE) == len(asked)
    for _, _, sql in asked:
        lab.warehouse.rows(sql)


def test_panels_that_are_not_quick_are_named() -> None:
    found = [
        Latency("ties_at(at = '{end}')", "busiest", 1, QUICK_MS, 400.0),
        Latency("network", "busiest", 1, 400.4, 500.0),
        Latency("ties", "busiest", 1, QUICK_MS - 1, 400.0),
        Latency("ties", "median", 1, QUICK_MS - 1, 400.0),
        Latency("all", "", 1, 900.0, 900.0),
    ]
    assert (
        "1 of 3 panels of the busiest community (not `network` 400, `ties_at` 300) and 1 of 1 panels of the median "
        "community took less than 300 ms"
    ) == quick(found)


@pytest.mark.connected
def test_the_cost_of_a_new_event_is_told_step_by_step() -> None:
    table = growth(2_000, fresh=1_000, rows=500)
    assert [] == [each.name for each in ALL if f"| recompute: {each.name} |" not in table]


def test_few_and_many_events_are_compared_by_their_medians_and_round_by_round() -> None:
    def run(events: int, seconds: float, mib: float, piece_us: float = 100.0) -> Result:
        of = {"worker": seconds, "broker": 1.0}
        peak = {"worker": mib, "broker": 1.0}
        return Result("ours", events, seconds, of, peak, {}, seconds + 1, of, peak, piece_us, piece_us, 3.0, 50.0)

    few = [run(100, 1, 10), run(100, 2, 10), run(100, 1, 10)]
    many = [run(500, 5, 20), run(500, 8, 30, piece_us=200.0), run(500, 4, 30)]
    text = report.flatness([each for pair in zip(few, many, strict=True) for each in pair])

    assert "| Medians | 100 events | 500 events | ratio (by round) | for a machine of one speed |" in text
    activity, everything = "until all activity is complete", "until everything is, ties and signs too"
    rates = "1.25 (1.00, 1.25, 1.25) | 1.25 (1.00, 2.50, 1.25)"
    assert f"| events/s, {activity} | 100 | 100 | {rates} |" in text
    worker = "4.00 (5.00, 4.00, 4.00) | 4.00 (5.00, 2.00, 4.00)"
    assert f"| CPU {everything}, worker | 1.0 us/event | 5.0 us/event | {worker} |" in text
    together = "3.00 (3.00, 3.00, 2.50) | 2.50 (3.00, 1.50, 2.50)"
    assert f"| CPU {everything}, together | 2.0 us/event | 6.0 us/event | {together} |" in text
    merged = "1.80 (1.80, 2.00, 1.60) | 1.38 (1.50, 1.17, 1.38)"
    assert f"| CPU until all is merged too, together | 5.0 us/event | 9.0 us/event | {merged} |" in text
    assert "| peak memory, worker | 10 MiB | 30 MiB | 3.00 (2.00, 3.00, 3.00) |  |" in text
