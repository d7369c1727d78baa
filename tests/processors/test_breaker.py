"""The circuit breaker of a partition, as a table of batches and verdicts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.processors.breaker import RejectBreaker

BATCHES = st.lists(st.integers(1, 50).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))))


@pytest.mark.parametrize(
    ("batches", "expected"),
    [
        ([(10, 5)], [False]),  # as many as allowed
        ([(10, 6)], [True]),
        ([(9, 9)], [False]),  # too few to judge
        ([(9, 9), (1, 0)], [False, True]),
        ([(9, 0), (9, 9)], [False, False]),  # half of eighteen
        ([(9, 0), (9, 9), (1, 1)], [False, False, True]),  # the good ones have left the window
        ([(1000, 0), (10, 6)], [False, True]),  # however many good ones there were before
        ([(10, 6), (10, 0)], [True, False]),
    ],
)
def test_it_opens_when_most_of_the_window_was_rejected(batches: list[tuple[int, int]], expected: list[bool]) -> None:
    breaker = RejectBreaker(max_ratio=0.5, window=10)
    assert expected == [breaker.observe(*batch) for batch in batches]


@given(BATCHES)
def test_a_ratio_of_one_never_opens(batches: list[tuple[int, int]]) -> None:
    breaker = RejectBreaker(max_ratio=1.0, window=10)
    assert not any(breaker.observe(*batch) for batch in batches)


@given(BATCHES)
def test_without_rejects_it_never_opens(batches: list[tuple[int, int]]) -> None:
    breaker = RejectBreaker(max_ratio=0.01, window=10)
    assert not any(breaker.observe(records, 0) for records, _ in batches)


@given(BATCHES)
def test_it_judges_the_fewest_last_batches_that_fill_the_window(batches: list[tuple[int, int]]) -> None:
    breaker = RejectBreaker(max_ratio=0.5, window=10)
    for end, batch in enumerate(batches, start=1):
        first = next((i for i in reversed(range(end)) if sum(n for n, _ in batches[i:end]) >= 10), 0)
        records, rejected = (sum(column) for column in zip(*batches[first:end], strict=True))
        assert (records >= 10 and rejected > 0.5 * records) == breaker.observe(*batch)
