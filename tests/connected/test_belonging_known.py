"""Rituals and signs of the community whose numbers were worked out by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime

import known_answer as known
import pytest
from pipeline import Lab
from settled import deliver

pytestmark = pytest.mark.connected


@pytest.fixture(scope="module")
def tea(lab: Lab) -> Lab:
    deliver(lab, known.EVENTS, datetime(2026, 3, 5, tzinfo=UTC))
    return lab


def test_signs_of_the_tea_house(tea: Lab) -> None:
    rows = tea.warehouse.rows(
        "SELECT day, kind, ref, member_id, events FROM {db}.signs WHERE community_id = 'tea-house' ORDER BY ALL"
    )
    monday, tuesday, wednesday = date(2026, 3, 2), date(2026, 3, 3), date(2026, 3, 4)
    assert [
        (monday, "product", "base-1", "bo", 1),  # e09; e10 names no product
        (monday, "question", "e04", "bo", 1),
        (monday, "ritual", "晨读", "ann", 1),
        (monday, "ritual", "晨读", "bo", 1),
        (monday, "role", "member", "ann", 1),
        (tuesday, "question", "e15", "bo", 1),
        (wednesday, "product", "base-1", "bo", 1),  # the review
        (wednesday, "thanks", "e21", "ann", 1),
    ] == rows


def test_morning_reading_of_the_tea_house(tea: Lab) -> None:
    """ann and bo of the three who were engaged so far; ann came first, and it was the only time."""
    assert [("named", "晨读", date(2026, 3, 2), 2, 3, None, None, "ann", 1)] == tea.warehouse.rows(
        "SELECT source, ritual, day, attendees, eligible, regulars, habit_rate, host_id, settled "
        "FROM {db}.ritual_occurrences WHERE community_id = 'tea-house'"
    )
    assert [] == tea.warehouse.rows("SELECT * FROM {db}.inferred_rituals")


def test_gains_of_the_tea_house(tea: Lab) -> None:
    """Nobody replied to the two questions; one member thanked everybody, hence nobody in particular."""
    assert [(date(2026, 3, 1), 0, 0, 2, 0, 1, 1, 0, 0)] == tea.warehouse.rows(
        "SELECT month, support_asked, support_answered, knowledge_asked, knowledge_answered, thanks, thankful_members, "
        "thanked_members, group_buys FROM {db}.belonging_gains WHERE community_id = 'tea-house'"
    )
    # bo replied to ann.
    assert [("ann", 0, 1, -1.0), ("bo", 1, 0, 1.0)] == tea.warehouse.rows(
        "SELECT member_id, given, received, balance FROM {db}.give_and_receive "
        "WHERE community_id = 'tea-house' ORDER BY member_id"
    )
