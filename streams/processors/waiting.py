"""Batches that wait to be decoded, bounded in number and in bytes: who brings more of them waits as well."""

from __future__ import annotations

import asyncio

from streams.processors.block import Batch

BATCHES = 32
"""How many may wait. They are bounded in bytes too, for a fetch is bounded as it travels, compressed."""


class Waiting:
    """A queue for one event loop. It takes a batch as long as those in it hold less than `most` bytes."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._bytes = 0
        self._queue: asyncio.Queue[Batch] = asyncio.Queue(maxsize=BATCHES)
        self._room = asyncio.Event()

    async def put(self, batch: Batch) -> None:
        """Wait for room, and put a batch behind the others."""
        while self._bytes >= self._most:
            self._room.clear()
            await self._room.wait()
        self._bytes += batch.bytes
        await self._queue.put(batch)

    async def take(self) -> Batch:
        """Wait for a batch, and take it."""
        return self._taken(await self._queue.get())

    def take_nowait(self) -> Batch:
        """Take a batch. Raises asyncio.QueueEmpty."""
        return self._taken(self._queue.get_nowait())

    def _taken(self, batch: Batch) -> Batch:
        self._bytes -= batch.bytes
        self._room.set()
        return batch
