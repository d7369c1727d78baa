"""Batches that wait are bounded in number and in bytes, and keep their order."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from streams.processors.block import Batch, Record
from streams.processors.waiting import BATCHES, Waiting


def batch(offset: int, size: int) -> Batch:
    return Batch("t", 0, [Record("t", 0, offset, 0, None, b"x" * size)])


async def put(waiting: Waiting, sizes: list[int]) -> list[int]:
    """Offsets of the batches of these sizes that find room; the next one is given up."""
    for offset, size in enumerate(sizes):
        try:
            await asyncio.wait_for(waiting.put(batch(offset, size)), 0.05)
        except TimeoutError:
            return list(range(offset))
    return list(range(len(sizes)))


def left(waiting: Waiting) -> list[int]:
    """Offsets of what is in it, taken."""
    found = []
    with suppress(asyncio.QueueEmpty):
        while True:
            found.append(waiting.take_nowait().records[0].offset)
    return found


@pytest.mark.parametrize(
    ("sizes", "taken"),
    [
        ([40, 40, 40, 40], 3),  # a batch is taken whole, so the last may go beyond
        ([1000, 1], 1),
        ([100, 1], 1),
        ([1] * (BATCHES + 1), BATCHES),
        ([0] * (BATCHES + 1), BATCHES),
    ],
)
async def test_batches_are_taken_until_they_are_too_many_or_too_large(sizes: list[int], taken: int) -> None:
    waiting = Waiting(100)
    assert list(range(taken)) == await put(waiting, sizes) == left(waiting)


async def test_who_waits_goes_on_as_soon_as_there_is_room_and_in_order() -> None:
    waiting = Waiting(100)
    brings = asyncio.create_task(put(waiting, [60, 60, 60, 60]))
    await asyncio.sleep(0)
    assert [0, 1, 2, 3] == [(await waiting.take()).records[0].offset for _ in range(4)]
    assert [0, 1, 2, 3] == await brings


async def test_what_was_taken_leaves_its_room_whoever_took_it() -> None:
    waiting = Waiting(100)
    for _ in range(5):
        assert [0] == await put(waiting, [100])
        await asyncio.wait_for(waiting.take(), 1)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(waiting.take(), 0.01)
    assert [0, 1] == await put(waiting, [99, 100])
