"""The oracle against numbers worked out by hand, and against the ways in which it could flatter the pipeline."""

from __future__ import annotations

import random

import known_answer as known
import pytest
from oracle import fold


@pytest.mark.parametrize(("grain", "expected"), [("minute", known.MINUTES), ("hour", known.HOURS), ("day", known.DAYS)])
def test_activity_is_what_was_worked_out_by_hand(grain, expected):
    assert expected == fold(known.EVENTS).activity(grain)


def test_member_days_are_what_was_worked_out_by_hand():
    assert known.MEMBER_DAYS == fold(known.EVENTS).member_activity("day")


def test_member_hours_are_what_was_worked_out_by_hand():
    hours = fold(known.EVENTS).member_activity("hour")
    assert known.MEMBER_HOURS == len(hours)
    assert known.MEMBER_HOURS_SAMPLE == {key: hours[key] for key in known.MEMBER_HOURS_SAMPLE}


@pytest.mark.parametrize(("at", "window", "humans_only"), known.ROLLING)
def test_rolling_numbers_are_what_was_worked_out_by_hand(at, window, humans_only):
    kinds = ("human",) if humans_only else None
    assert known.ROLLING[at, window, humans_only] == fold(known.EVENTS).rolling(at, window, kinds)


def test_one_fact_is_left_of_each_event_id_of_a_community():
    oracle = fold(known.EVENTS)
    assert (known.FACTS, known.DELIVERED - known.FACTS) == (len(oracle.facts), oracle.duplicates)
    assert known.DELIVERED == len(known.EVENTS)


def test_the_order_of_delivery_changes_nothing():
    shuffled = known.EVENTS * 2
    random.Random(5).shuffle(shuffled)
    assert fold(known.EVENTS).facts == fold(shuffled).facts


def test_the_version_sent_last_wins_whichever_comes_first():
    versions = [event for event in known.EVENTS if event["event_id"] == "e15"]
    assert ["今晚八点？"] == [fact["text"] for fact in fold(versions[:2]).facts.values()]
    assert ["今晚八点？"] == [fact["text"] for fact in fold(versions[1::-1]).facts.values()]


def test_a_version_without_sent_at_is_the_oldest():
    first = {key: value for key, value in known.EVENTS[2].items() if key != "sent_at"}
    second = first | {"text": "改过了", "sent_at": "2026-03-02T00:01:00Z"}
    assert [second] == list(fold([second, first]).facts.values())


def test_two_contents_sent_at_the_same_time_need_a_rule():
    one, other = known.EVENTS[2], known.EVENTS[2] | {"text": "别的"}
    with pytest.raises(ValueError, match="pass `tie`"):
        fold([one, other])
    for given in ([one, other], [other, one]):
        assert [other] == list(
            fold(given, tie=lambda a, b: max(a, b, key=lambda e: e["text"] == "别的")).facts.values()
        )
