"""Recomputing: buckets are cut into statements, grains contain each other, versions never go back."""

from __future__ import annotations

import json
import re
import time
from collections import defaultdict
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.aggregates import ALL, SECONDS, Aggregate, activity, members
from streams.processors.invalidations import MAX_MINUTES, Invalidation, decode, encode, of_minutes
from streams.processors.recompute import Size, VersionClock, chunks, coarser, recompute
from streams.processors.stages import Marks, Stage, starts_of

BUCKETS = st.dictionaries(st.sampled_from("abcde"), st.sets(st.integers(0, 50).map(lambda n: n * 60)), max_size=5)


@given(BUCKETS, st.integers(1, 20))
def test_chunks_hold_every_bucket_once_and_follow_each_other_in_time(buckets: dict[str, set[int]], size: int) -> None:
    parts = list(chunks(buckets, Size(size)))
    held = sorted((name, start) for part in parts for name, starts in part.items() for start in starts)
    assert sorted((name, start) for name, starts in buckets.items() for start in starts) == held
    spans = [[start for starts in part.values() for start in starts] for part in parts]
    assert all(max(one) < min(other) for one, other in pairwise(spans))
    # Buckets of one moment stay together, so that a part may hold one more of each community.
    assert all(0 < len(span) <= size + len(buckets) for span in spans)
    assert all(starts for part in parts for starts in part.values())


@pytest.mark.parametrize("aggregate", ALL, ids=lambda aggregate: aggregate.name)
@given(st.sets(st.integers(0, 2**32 - 1), min_size=1))
def test_a_coarser_bucket_contains_its_moments(aggregate: Aggregate, moments: set[int]) -> None:
    size = SECONDS[aggregate.grain]
    [starts] = coarser(aggregate, {"tea": moments}).values()
    assert {moment - moment % size for moment in moments} == starts
    assert all(any(start <= moment < start + size for start in starts) for moment in moments)


@given(st.sets(st.integers(0, 2**32 - 1)), st.sampled_from(sorted(SECONDS.values())))
def test_starts_of_buckets_are_each_named_once(moments: set[int], size: int) -> None:
    assert sorted({moment - moment % size for moment in moments}) == starts_of(list(moments), size).tolist()


class Dense:
    """A warehouse that has so many rows in a bucket, and notes of how many buckets each statement is."""

    def __init__(self, rows_each: int) -> None:
        self.rows_each = rows_each
        self.sizes: list[int] = []

    def render(self, sql: str) -> str:
        return sql

    def command(self, sql: str, settings: object) -> int:
        [literal] = re.findall(r"JSONExtract\('(\[\[.*?\]\])', 'Array\(Tuple", sql)
        self.sizes.append(sum(len(starts) for _, starts in json.loads(literal)))
        return self.sizes[-1] * self.rows_each


@pytest.mark.parametrize(
    ("aggregate", "rows_each", "sizes"),
    [
        (members.HOUR, 1, [10_000, 40_000, 100_000, 50_000]),
        (members.HOUR, 10, [10_000, 40_000, 50_000, 50_000, 50_000]),
        (members.HOUR, 100, [10_000] + [5_000] * 38),
        (members.HOUR, 0, [10_000, 40_000, 100_000, 50_000]),
        (activity.HOUR, 1, [10_000, 40_000, 100_000, 50_000]),
        (activity.HOUR, 10, [10_000] * 20),
    ],
)
def test_a_statement_holds_as_many_buckets_as_the_one_before_found_rows_for(
    aggregate: Aggregate, rows_each: int, sizes: list[int]
) -> None:
    warehouse: Any = Dense(rows_each)
    hours = {"tea": range(0, 200_000 * 3600, 3600)}
    assert sum(sizes) == recompute(warehouse, aggregate, hours, {}, version=1)
    assert sizes == warehouse.sizes


class Clock:
    """A warehouse of which only the clock is asked; it may stand still or go back."""

    def __init__(self, *readings: int) -> None:
        self.readings = list(readings)

    def rows(self, sql: str) -> list[tuple[int]]:
        return [(self.readings.pop(0),)]


@given(st.lists(st.integers(1, 2**60), min_size=1))
def test_versions_only_ever_grow_even_when_the_clock_does_not(readings: list[int]) -> None:
    clock = VersionClock(Clock(*readings))  # type: ignore[arg-type]
    taken = [clock.take() for _ in readings]
    assert sorted(set(taken)) == taken
    assert taken[0] == readings[0]
    assert all(version >= reading for version, reading in zip(taken, readings, strict=True))


def listed(marks: Marks) -> dict[str, list[int]]:
    return {community: starts.tolist() for community, starts in marks.items()}


def test_a_stage_gathers_until_it_is_taken_and_then_starts_anew() -> None:
    stage = Stage("hour", (), interval_s=2.0)
    assert stage.since is None
    now = time.monotonic()
    stage.add({"tea": [0, 60, 3600]}, {}, [], now, received_ms=50)
    stage.add({"tea": [7200], "pot": [3660]}, {"pot": [3660]}, [], now + 1, received_ms=40)
    # Since the first, however many come after it: nothing waits for ever.
    assert now == stage.since
    taken = stage.take()
    assert ({"tea": [0, 3600, 7200], "pot": [3600]}, 40) == (listed(taken.dirty), taken.oldest_received_ms)
    assert {"pot": [3600]} == listed(taken.replaced)
    assert (None, {}, {}, []) == (stage.since, stage.dirty, stage.replaced, stage.waiting)


@given(st.lists(st.tuples(st.sampled_from("tp"), st.sets(st.integers(0, 40)), st.booleans())))
def test_marks_are_sorted_and_each_is_there_once_whenever_one_looks(added: list[tuple[str, set[int], bool]]) -> None:
    marks, expected = Marks(), defaultdict[str, set[int]](set)
    for community, starts, look in added:
        marks.add(community, starts_of(list(starts), 1))
        expected[community] |= starts
        assert sum(map(len, expected.values())) <= marks.held <= 2 * sum(map(len, expected.values()))
        if look:
            assert sorted(expected[community]) == marks[community].tolist()
    assert {community: sorted(starts) for community, starts in expected.items()} == listed(marks)


def test_a_mark_costs_the_same_however_many_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    sorted_in = []
    unique = np.unique
    monkeypatch.setattr(np, "unique", lambda array: sorted_in.append(len(array)) or unique(array))
    marks = Marks()
    for minute in range(10_000):
        marks.add("tea", np.array([minute], np.uint32))
    assert list(range(10_000)) == marks["tea"].tolist()
    assert sum(sorted_in) < 4 * 10_000


@given(st.text(), st.sets(st.integers(0, 2**32 - 1)), st.integers(0, 2**50))
def test_invalidations_come_back_as_they_were_sent(community: str, minutes: set[int], received_at: int) -> None:
    sent = list(of_minutes(community, minutes, (), received_at))
    assert sent == [decode(encode(each)) for each in sent]
    assert sorted(minutes) == [minute for each in sent for minute in each.minutes]


def test_no_invalidation_is_larger_than_a_broker_takes() -> None:
    minutes = range(2**32 - 60 * (2 * MAX_MINUTES + 1), 2**32, 60)
    parts = list(of_minutes("c" * 128, minutes, minutes, 2**50))
    assert [MAX_MINUTES, MAX_MINUTES, 1] == [len(part.minutes) for part in parts]
    assert max(len(encode(part)) for part in parts) < 1 << 20


@pytest.mark.parametrize("value", [None, b"", b"{}", b'{"community_id": 1, "minutes": []}', b"\xff"])
def test_what_is_no_invalidation_is_an_error(value: bytes | None) -> None:
    with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)):
        decode(value)


def test_an_invalidation_says_no_numbers() -> None:
    told = {"community_id", "minutes", "replaced", "received_at", "settings", "corrections"}
    assert told == set(Invalidation.__struct_fields__)
