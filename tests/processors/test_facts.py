"""Facts: versions decide by what the publisher says, times are cut off, every field of the contract has its place."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.processors.facts import COLUMNS, STAMPED, TYPES, default_column, to_ms, versions
from streams.processors.store import Version, losing
from streams.topics import ALL, Family

HASHES = st.integers(0, (1 << 64) - 1)
SENT = st.integers(0, (1 << 42) - 1)


def version(sent_ms: int, content: int) -> int:
    return int(versions(np.array([sent_ms], np.int64), np.array([content], np.uint64))[0])


@given(SENT, SENT, HASHES, HASHES)
def test_the_event_sent_later_wins_whatever_its_content(one: int, other: int, content: int, another: int) -> None:
    if one != other:
        assert (one < other) == (version(one, content) < version(other, another))


@given(SENT, HASHES, HASHES)
def test_of_two_sent_at_the_same_time_the_greater_hash_wins(sent: int, one: int, other: int) -> None:
    if one >> 43 != other >> 43:
        assert (one < other) == (version(sent, one) < version(sent, other))


@given(SENT, HASHES)
def test_versions_are_even_so_that_a_removal_fits_between_two(sent: int, content: int) -> None:
    assert 0 == version(sent, content) % 2
    assert version(sent, content) | 1 < version(sent, content) + 2 < 1 << 64


def test_a_time_of_sending_that_cannot_be_is_the_nearest_that_can() -> None:
    assert version(0, 0) == version(-1, 0) == version(-(1 << 50), 0)
    assert version((1 << 42) - 1, 0) == version(1 << 42, 0) == version(1 << 60, 0)


def test_versions_that_were_stored_are_never_computed_otherwise() -> None:
    """Stored versions outlive the code: a change of the formula would let old versions win or lose at random."""
    assert 1_710_072_000_000 << 22 == version(1_710_072_000_000, 0)
    assert (1_710_072_000_000 << 22) + (0x1FFFFF << 1) == version(1_710_072_000_000, (1 << 64) - 1)
    assert 2 == version(0, 1 << 43)


def test_milliseconds_are_cut_off() -> None:
    shanghai = timezone(timedelta(hours=8))
    times = [
        datetime(2024, 3, 10, 0, 0, 59, 999_999, tzinfo=UTC),
        datetime(2024, 3, 10, 8, 0, 59, 999_000, tzinfo=shanghai),
        datetime(1969, 12, 31, 23, 59, 59, 999_500, tzinfo=UTC),
    ]
    assert [1_710_028_859_999, 1_710_028_859_999, -1] == to_ms(times).tolist()


@pytest.mark.parametrize("family", ALL, ids=lambda family: family.name)
def test_every_field_of_the_contract_has_a_column(family: Family) -> None:
    """A field without one would go to `extra`, which is right for what the contract does not know."""
    columns = {family.columns.get(field, field) for field in family.model.model_fields if field != "items"}
    assert set() == columns - set(COLUMNS) - set(STAMPED)
    assert {column for path, column in family.columns.items() if path.startswith("items.")} <= set(TYPES)


@pytest.mark.parametrize("name", TYPES)
def test_a_column_that_a_family_lacks_holds_the_default_of_its_type(name: str) -> None:
    column = default_column(TYPES[name], 3)
    kind = pa.string() if pa.types.is_dictionary(TYPES[name]) else TYPES[name]
    assert (3, 0, kind) == (len(column), column.null_count, column.type)
    assert 1 == len({str(value) for value in column.to_pylist()})


def live(minute: int, version: int) -> Version:
    return Version("tea", "e1", minute, version)


def test_the_greatest_version_stays_and_the_others_go_with_the_odd_number_above_their_own() -> None:
    assert [live(60, 3), live(180, 9)] == losing([live(60, 2), live(120, 10), live(180, 8)])


def test_of_equal_versions_the_earliest_minute_stays() -> None:
    assert [live(180, 11), live(120, 11)] == losing([live(180, 10), live(60, 10), live(120, 10)])


def test_an_event_that_lives_once_loses_nothing() -> None:
    assert [] == losing([live(60, 2)])
