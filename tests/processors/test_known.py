"""Known ids: a filter that never overlooks one that was stored, whoever stored it."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pipeline import Lab

from streams.processors import known
from streams.processors.known import BloomFilter, KnownKeys, active_parts, joined

ROOM = 1 << 20


def hashes(seed: int, count: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2**64, count, np.uint64)


@given(st.sets(st.integers(0, 2**64 - 1)), st.integers(0, 300))
def test_a_filter_holds_whatever_was_added(keys: set[int], size_bytes: int) -> None:
    array = np.fromiter(keys, np.uint64, len(keys))
    filter = BloomFilter(size_bytes)
    for half in np.array_split(array, 2):
        filter.add(half)
    assert [True] * len(keys) == filter.holds(array).tolist()


@pytest.mark.parametrize(("bits_an_id", "share"), [(32, 1 / 1_000), (16, 1 / 100)])
def test_a_filter_takes_few_others_for_known(bits_an_id: int, share: float) -> None:
    filter = BloomFilter(100_000 * bits_an_id // 8)
    filter.add(hashes(1, 100_000))
    assert filter.holds(hashes(2, 1_000_000)).mean() < share


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 5)).map(lambda span: (span[0], sum(span)))))
def test_joined_spans_hold_the_same_numbers_and_leave_room_between_each_other(spans: list[tuple[int, int]]) -> None:
    numbers = {number for first, last in spans for number in range(first, last + 1)}
    result = joined(spans)
    assert sorted(numbers) == [number for first, last in result for number in range(first, last + 1)]
    assert all(one[1] + 1 < other[0] for one, other in pairwise(result))


def store(lab: Lab, keys: Iterable[int], block_id: int) -> None:
    """Insert keys as a worker does, one part an insert."""
    array = np.fromiter(keys, np.uint64)
    ids = np.full(len(array), block_id, np.uint64)
    minute = pa.array(np.zeros(len(array), np.int64)).cast(pa.timestamp("s", "UTC"))
    rows = pa.table({"event_key": array, "minute": minute, "first_block": ids, "last_block": ids})
    lab.warehouse.insert(lab.warehouse.render("{store}.event_keys"), rows)


@pytest.mark.connected
def test_what_others_stored_is_known_after_a_refresh_and_what_this_block_brought_is_not(lab: Lab) -> None:
    keys, own = KnownKeys(ROOM), hashes(3, 1000)
    keys.refresh(lab.warehouse, 1)
    for block_id, others in enumerate((hashes(4, 1000), hashes(5, 1000)), start=2):
        store(lab, own, 99)
        store(lab, others, block_id)
        keys.refresh(lab.warehouse, 99)
        assert keys.may_hold(others).all()
        assert keys.may_hold(own).mean() < 0.05
    keys.add(own)
    assert keys.may_hold(own).all()


@pytest.mark.connected
def test_a_key_that_an_earlier_block_brought_too_is_known_even_when_both_have_been_merged(lab: Lab) -> None:
    shared = hashes(6, 500)
    keys = KnownKeys(ROOM)
    keys.refresh(lab.warehouse, 1)
    store(lab, shared, 1)
    store(lab, shared, 2)
    lab.warehouse.command("OPTIMIZE TABLE {store}.event_keys FINAL")
    keys.refresh(lab.warehouse, 2)
    assert keys.may_hold(shared).all()


@pytest.mark.connected
def test_merged_parts_are_not_read_again(lab: Lab) -> None:
    keys = KnownKeys(ROOM)
    for number in (7, 8, 9):
        store(lab, hashes(number, 100), number)
    keys.refresh(lab.warehouse, 0)
    lab.warehouse.command("OPTIMIZE TABLE {store}.event_keys FINAL")
    assert [] == keys.unread(active_parts(lab.warehouse))


@pytest.mark.connected
def test_a_part_that_is_merged_away_while_it_is_read_is_found_in_its_successor(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys, late = KnownKeys(ROOM), hashes(10, 100)
    keys.refresh(lab.warehouse, 0)
    store(lab, late, 1)
    store(lab, hashes(11, 100), 2)
    listed = active_parts(lab.warehouse)
    lab.warehouse.command("OPTIMIZE TABLE {store}.event_keys FINAL")
    answers = [listed]
    monkeypatch.setattr(known, "active_parts", lambda warehouse: answers.pop() if answers else active_parts(warehouse))
    keys.refresh(lab.warehouse, 0)
    assert keys.may_hold(late).all()


@pytest.mark.connected
def test_many_ids_are_read_slice_by_slice(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "SLICE_ROWS", 300)
    keys, stored = KnownKeys(ROOM), hashes(12, 2000)
    store(lab, stored, 1)
    keys.refresh(lab.warehouse, 0)
    assert keys.may_hold(stored).all()


def test_a_table_that_was_emptied_and_counts_anew_is_read_from_its_beginning() -> None:
    keys = KnownKeys(ROOM)
    keys.read = {"all": [(1, 25)]}
    fresh = known.Part("all_1_1_0", "all", 1, 1, 10)
    assert [fresh] == keys.unread([fresh])
