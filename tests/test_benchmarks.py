"""Benchmarks ask every view that analysts have, and what they ask can be answered; they tell the cost of every step."""

from __future__ import annotations

import re

import pytest
from pipeline import Lab

from benchmarks.steps import growth
from benchmarks.views import PANELS, WHOLE, questions, view_of
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


@pytest.mark.connected
def test_the_cost_of_a_new_event_is_told_step_by_step() -> None:
    table = growth(2_000, fresh=1_000, rows=500)
    assert [] == [each.name for each in ALL if f"| recompute: {each.name} |" not in table]
