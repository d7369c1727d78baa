"""Rituals and signs of the community whose numbers were worked out by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime

import known_answer as known
import pytest
from oracles import belonging as oracle
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


def test_thanks_are_told_apart_within_a_minute(lab: Lab) -> None:
    """In one minute ann answers bo twice, thanks cy and mentions dee, thanks nobody, and answers eve."""
    world = f"{lab.world()}busy"
    said = [
        ("bo", "00:00", {"text": "one"}),
        ("cy", "00:00", {"text": "two"}),
        ("dee", "00:00", {"text": "three"}),
        ("eve", "00:00", {"text": "four"}),
        ("ann", "01:01", {"text": "hello", "reply_to": "e0"}),
        ("ann", "01:02", {"text": "thanks", "reply_to": "e1", "mentions": ["dee", "ann", "nobody"]}),
        ("ann", "01:03", {"text": "thank you all"}),
        ("ann", "01:04", {"text": "hello", "reply_to": "e0"}),
        ("ann", "01:05", {"text": "hello", "reply_to": "e3"}),
        ("bo", "02:00", {"text": "thanks, cy", "mentions": ["cy"], "reply_to": "e1"}),
        ("bo", "03:00", {"text": "thanks", "reply_to": "e0"}),
    ]
    events = [
        {
            "event_id": f"e{number}",
            "type": "message",
            "platform": "chat",
            "community_id": world,
            "member_id": member,
            "occurred_at": f"2026-03-02T00:{at}Z",
            **rest,
        }
        for number, (member, at, rest) in enumerate(said)
    ]
    deliver(lab, events)
    march = date(2026, 3, 1)
    found = lab.warehouse.rows(
        f"SELECT month, giver_id, receiver_id, thanks FROM {{db}}.thanks WHERE community_id = '{world}'"
    )
    expected = {(march, "ann", "cy", 1), (march, "ann", "dee", 1), (march, "bo", "cy", 1)}
    assert expected == set(found) == {(*key, number) for key, number in oracle.thanks(events).items()}


def test_only_answers_are_given_whatever_is_known_of_whom_one_mentions(lab: Lab) -> None:
    """ann answers bo, and mentions cy, who was flagged as a human; dee reacts to what ann wrote."""
    world = f"{lab.world()}gifts"
    said = [
        ("bo", "message", {"text": "one"}),
        ("cy", "message", {"text": "two"}),
        (
            "mo",
            "moderation",
            {"action": "flag", "target_member_id": "cy", "flagged_kind": "human"},
        ),
        ("ann", "message", {"text": "hello", "reply_to": "e0", "mentions": ["cy"]}),
        ("dee", "reaction", {"target_id": "e3", "reaction": "like"}),
    ]
    events = [
        {
            "event_id": f"e{number}",
            "type": family,
            "platform": "chat",
            "community_id": world,
            "member_id": member,
            "occurred_at": f"2026-03-02T00:0{number}:00Z",
            **rest,
        }
        for number, (member, family, rest) in enumerate(said)
    ]
    deliver(lab, events)
    found = lab.warehouse.rows(
        "SELECT member_id, given, received FROM {db}.give_and_receive "
        f"WHERE community_id = '{world}' ORDER BY member_id"
    )
    assert [("ann", 1, 0), ("bo", 0, 1)] == found
    ties = lab.warehouse.rows(
        "SELECT kind, other_kind FROM {store}.tie_minute FINAL "
        f"WHERE community_id = '{world}' AND kind != 'start' ORDER BY kind"
    )
    assert [("mention", "human"), ("reaction", "human"), ("reply", "human")] == ties
