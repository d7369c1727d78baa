"""Workers with one guard removed each: what the harness must turn red for. Applied only inside a forked worker."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Mutant:
    """A guard, and how to take it away."""

    guard: str
    apply: Callable[[], None]


def acknowledge_before_the_write() -> None:
    from streams.processors.ingest import Ingest

    write = Ingest.write

    async def mutated(self: Ingest, block: Any) -> None:
        await self.settle(block, None)
        await write(self, block)

    Ingest.write = mutated  # type: ignore[method-assign]


def acknowledge_before_the_invalidation() -> None:
    from streams.processors.ingest import Ingest

    publish = Ingest.publish_invalidations

    async def mutated(self: Ingest, block: Any) -> None:
        await self.settle(block, None)
        await publish(self, block)

    Ingest.publish_invalidations = mutated  # type: ignore[method-assign]


def acknowledge_when_handed_over() -> None:
    """What `take()` and a plain `async for` do: an event is acknowledged whatever becomes of it."""
    from streams.processors.block import Batch
    from streams.processors.consumer import BatchConsumer, BatchSchema
    from streams.processors.worker import CrashingSupervisor, Position, Worker

    def add_agent(self: Any, name: str, topics: Any, offer: Any) -> None:
        channel = self.app.topic(*topics, schema=BatchSchema(), allow_empty=True)

        async def agent(stream: Any) -> None:
            async for event in stream.events():
                message = event.message
                position = Position(message.tp, message.offset, message.generation_id)
                await offer(Batch(message.topic, message.partition, event.value, position))

        self.app.agent(channel, name=f"{self.app.conf.id}.{name}", supervisor_strategy=CrashingSupervisor)(agent)

    def ack(self: Any, message: Any) -> bool:
        message.acked = True
        self.durable(message.tp, message.offset)
        return True

    Worker.add_agent = add_agent  # type: ignore[method-assign]
    BatchConsumer.ack = ack  # type: ignore[method-assign]


def two_writers() -> None:
    """Blocks written side by side: the second may be acknowledged while the first is not stored."""
    from streams.processors.ingest import Ingest

    write_blocks = Ingest.write_blocks

    async def mutated(self: Ingest) -> None:
        await asyncio.gather(write_blocks(self), write_blocks(self))

    Ingest.write_blocks = mutated  # type: ignore[method-assign]


def versions_from_the_workers_own_clock() -> None:
    """A clock that runs an hour ahead; the next worker's does not."""
    from streams.processors.recompute import VersionClock

    VersionClock.take = lambda self: time.time_ns() // 1000 + 3_600_000_000  # type: ignore[method-assign]


def recompute_without_final() -> None:
    from streams.processors import recompute

    template = recompute.template
    recompute.template = lambda name: template(name).replace(" FINAL", "")  # type: ignore[assignment]


def vanished_buckets_stay() -> None:
    from streams.clickhouse import Warehouse

    command = Warehouse.command

    def mutated(self: Warehouse, sql: str, *rest: Any, **more: Any) -> Any:
        return None if "1 AS is_deleted" in sql else command(self, sql, *rest, **more)

    Warehouse.command = mutated  # type: ignore[method-assign]


def moved_events_live_twice() -> None:
    from streams.processors import store

    store.settle_moved = lambda *_: None  # type: ignore[assignment]


def nothing_bounds_what_waits() -> None:
    """Consumption never pauses: what is published while the warehouse is away waits in the worker."""
    from streams.processors.waiting import Waiting

    async def put(self: Waiting, batch: Any) -> None:
        self._queue._maxsize = 0  # type: ignore[attr-defined]
        await self._queue.put(batch)

    Waiting.put = put  # type: ignore[method-assign]


def one_bad_record_fails_its_batch() -> None:
    from streams.topics.decode import Decoder

    decode_batch = Decoder.decode_batch

    def mutated(self: Decoder, values: Any, headers: Any = ()) -> Any:
        events, rejects = decode_batch(self, values, headers)
        if not rejects:
            return events, rejects
        return [None] * len(events), [(index, rejects[0][1]) for index in range(len(events))]

    Decoder.decode_batch = mutated  # type: ignore[method-assign]


def no_circuit_breaker() -> None:
    from streams.processors.breaker import RejectBreaker

    RejectBreaker.observe = lambda *_: False  # type: ignore[method-assign]


MUTANTS: dict[str, Mutant] = {
    name.__name__: Mutant(guard, name)
    for name, guard in (
        (acknowledge_before_the_write, "acknowledge after the write"),
        (acknowledge_before_the_invalidation, "acknowledge after the invalidation"),
        (acknowledge_when_handed_over, "noack, and no acknowledgement by Faust"),
        (two_writers, "one block written after another"),
        (versions_from_the_workers_own_clock, "versions from the warehouse's clock"),
        (recompute_without_final, "recompute with FINAL"),
        (vanished_buckets_stay, "remove buckets whose last event has left"),
        (moved_events_live_twice, "one live row of a moved event"),
        (nothing_bounds_what_waits, "bounded queues"),
        (one_bad_record_fails_its_batch, "a bad record harms no other"),
        (no_circuit_breaker, "circuit breaker"),
    )
}
