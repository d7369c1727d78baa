"""Corrections of much: members with 10,000 events each, a bot that wrote 30 %, 1,000 messages; and back."""

from __future__ import annotations

import pytest

from benchmarks import corrections

pytestmark = [pytest.mark.connected, pytest.mark.thorough]


def test_everything_follows_large_corrections_and_is_as_before_when_they_are_taken_back() -> None:
    """Each step waits until the number that shows it is right, and fails when that takes five minutes."""
    steps = corrections.measure(partitions=2)
    assert [0] * 6 == [step.differences for step in steps]
    assert [None, True] * 3 == [step.as_before for step in steps]
