"""Ingest: micro-batches of partitions become facts, dead letters and invalidations, and only then are acknowledged.

Two steps run side by side, so that one block is decoded while the one before it is written. Both keep the order of
arrival: an acknowledgement is only ever given when everything before it is durable.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np
import structlog

from streams import dead_letters, metrics
from streams.clickhouse import Warehouse
from streams.processors import invalidations
from streams.processors.block import Batch, BatchDecoder, Block, Decoded, assemble
from streams.processors.breaker import RejectBreaker
from streams.processors.corrections import copy_corrections, copy_replacements
from streams.processors.known import KnownKeys
from streams.processors.progress import Partition, Progress
from streams.processors.retry import until_available
from streams.processors.store import Stored, store_facts
from streams.processors.waiting import Waiting
from streams.settings import Settings
from streams.topics import ALL
from streams.topics.internal import DEAD_LETTERS, INVALIDATIONS

log = structlog.get_logger()

WAITING_S = 0.02
"""How often is looked whether the block that waits is still there."""


class Message(NamedTuple):
    """A record on its way to Kafka."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()


Publish = Callable[[Sequence[Message]], Awaitable[None]]
"""Send records and return when the broker has all of them; raises when any was not delivered."""


class Ingest:
    """One worker's ingest. `acknowledge` and `pause` are Kafka's; a batch of an older assignment is dropped."""

    def __init__(
        self,
        settings: Settings,
        warehouse: Warehouse,
        publish: Publish,
        acknowledge: Callable[[Any], Awaitable[None]],
        is_current: Callable[[Any], bool],
        pause: Callable[[Partition], None],
        progress: Progress,
    ) -> None:
        self.settings = settings
        self.warehouse = warehouse
        self.publish = publish
        self.acknowledge = acknowledge
        self.is_current = is_current
        self.pause = pause
        self.progress = progress
        prefix = settings.kafka.topic_prefix
        self.decoder = BatchDecoder({family.topic(prefix): family for family in ALL}, settings.ingest)
        self.known_keys = KnownKeys(settings.ingest.known_ids_mib << 20)
        self.breakers: dict[Partition, RejectBreaker] = {}
        self.batches = Waiting(settings.ingest.max_bytes)
        self.blocks: asyncio.Queue[Block] = asyncio.Queue(maxsize=1)

    async def offer(self, batch: Batch) -> None:
        """Hand over a batch; waits while the steps behind are full, which is what pauses consumption."""
        await self.batches.put(batch)

    def on_assigned(self) -> None:
        """A new assignment: what was stopped gets another try."""
        self.breakers.clear()
        metrics.PARTITION_STOPPED.clear()

    async def run(self) -> None:
        """Decode and write until cancelled. An exception is a bug or a broken broker: the worker must not go on."""
        await asyncio.gather(self.decode_blocks(), self.write_blocks(), self.write_progress())

    async def decode_blocks(self) -> None:
        """Gather batches for one insert, decode them, hand the block to the writer."""
        while True:
            block = await self.decode(await self.gather())
            if block.decoded:
                await self.blocks.put(block)

    async def gather(self) -> list[Batch]:
        """Batches for one block: what is there, and what comes for `linger_s` or while a block waits to be written."""
        limits = self.settings.ingest
        batches = [await self.batches.take()]
        rows, size = len(batches[0].records), batches[0].bytes
        deadline = time.monotonic() + limits.linger_s
        while rows < limits.max_rows and size < limits.max_bytes:
            try:
                batch = self.batches.take_nowait()
            except asyncio.QueueEmpty:
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    if not self.blocks.full():
                        break
                    remaining = WAITING_S
                try:
                    batch = await asyncio.wait_for(self.batches.take(), remaining)
                except TimeoutError:
                    continue
            batches.append(batch)
            rows += len(batch.records)
            size += batch.bytes
        return batches

    async def decode(self, batches: Sequence[Batch]) -> Block:
        """Decode in a thread, batch by batch, so that heartbeats and /health go on; leave out stopped partitions."""
        decoded: list[Decoded] = []
        for batch in batches:
            partition = (batch.topic, batch.partition)
            if not batch.records or not self.is_current(batch.token) or self.progress.position(partition).stopped:
                continue
            part = await asyncio.to_thread(self.decoder.decode, batch, time.time_ns() // 1_000_000)
            metrics.BATCH_RECORDS.observe(len(batch.records))
            if self.trips(partition, part):
                continue
            decoded.append(part)
        return await asyncio.to_thread(assemble, decoded)

    def trips(self, partition: Partition, part: Decoded) -> bool:
        """Stop a partition when most of what it brings is rejected: this batch is neither written nor acknowledged."""
        limits = self.settings.ingest
        breaker = self.breakers.setdefault(partition, RejectBreaker(limits.max_reject_ratio, limits.reject_window))
        if not breaker.observe(part.receipt.records, len(part.dead_letters)):
            return False
        first = part.dead_letters[0] if part.dead_letters else None
        why = (
            f"stopped: more than {limits.max_reject_ratio:.0%} of the last {limits.reject_window:,} records rejected"
            + (f", the last for {first.reason}: {first.detail}" if first else "")
            + ". Mend the publisher, or start the worker with STREAMS_INGEST__MAX_REJECT_RATIO=1 to dead-letter them"
        )
        self.progress.position(partition).stopped = why
        metrics.PARTITION_STOPPED.labels(partition[0], str(partition[1])).set(1)
        log.error("partition stopped", topic=partition[0], partition=partition[1], why=why)
        self.pause(partition)
        return True

    async def write_blocks(self) -> None:
        """Write blocks one after another."""
        while True:
            await self.write(await self.blocks.get())

    async def write(self, block: Block) -> None:
        """Insert facts, publish dead letters and invalidations, acknowledge: in this order, each step repeatable."""
        started = time.monotonic()
        stored = None
        facts = block.facts
        if facts is not None:
            block_id = time.time_ns()
            block.corrections = await until_available("corrections", lambda: copy_corrections(self.warehouse, facts))
            stored = await until_available(
                "facts", lambda: store_facts(self.warehouse, facts, block_id, self.known_keys)
            )
            metrics.INSERT_SECONDS.observe(time.monotonic() - started)
            metrics.BLOCK_ROWS.observe(facts.num_rows)
            metrics.INGEST_LATENCY_SECONDS.observe(max(0.0, time.time() - block.oldest_received_ms / 1000))
            again = np.asarray(facts["event_key"])[stored.replacing]
            replaced = await until_available("corrections", lambda: copy_replacements(self.warehouse, again))
            for community, event_ids in replaced.items():
                block.corrections.setdefault(community, set()).update(event_ids)
            block.replaced = stored.replaced
            for community, minutes in stored.replaced.items():
                block.minutes.setdefault(community, set()).update(minutes)
        if block.dead_letters:
            await self.write_dead_letters(block)
        limits = self.settings.ingest
        share = max(block.records / limits.max_rows, block.bytes / limits.max_bytes)
        self.progress.wrote(share, self.left() / limits.max_rows, time.monotonic())
        if block.minutes:
            await self.publish_invalidations(block)
        await self.settle(block, stored)

    def left(self) -> int:
        """Records that were published and are not yet acknowledged, as far as is known."""
        positions = self.progress.positions.items()
        return sum(position.lag for (topic, _), position in positions if topic in self.decoder.families)

    async def write_dead_letters(self, block: Block) -> None:
        """To the table first, which is idempotent, then to the topic."""
        letters = dead_letters.to_arrow(block.dead_letters)
        table = self.warehouse.render("{store}.dead_letters")
        await until_available("dead letters", lambda: self.warehouse.insert(table, letters))
        topic = DEAD_LETTERS.topic(self.settings.kafka.topic_prefix)
        await self.publish(
            [
                Message(topic, letter.key, letter.value, dead_letters.dead_letter_headers(letter))
                for letter in block.dead_letters
            ]
        )

    async def publish_invalidations(self, block: Block) -> None:
        """One record a community, keyed by it: one worker recomputes a community's buckets at a time."""
        topic = INVALIDATIONS.topic(self.settings.kafka.topic_prefix)
        received = block.oldest_received_ms
        parts = [
            part
            for community, minutes in block.minutes.items()
            for part in invalidations.of_minutes(community, minutes, block.replaced.get(community, ()), received)
        ]
        for community, event_ids in block.corrections.items():
            parts += invalidations.of_corrections(community, event_ids, received)
        await self.publish([Message(topic, part.community_id.encode(), invalidations.encode(part)) for part in parts])

    async def settle(self, block: Block, stored: Stored | None) -> None:
        """Acknowledge, and count every record into one outcome."""
        count_outcomes(block, stored)
        now = time.monotonic()
        for part in block.decoded:
            receipt = part.receipt
            if self.is_current(receipt.token):
                await self.acknowledge(receipt.token)
                # Here and not when it was decoded: the watermark speaks of what is stored.
                self.progress.observe_events(receipt.partition, part.event_ms)
                self.progress.stored(receipt.partition, receipt.next_offset, now)

    async def write_progress(self) -> None:
        """Write the positions that changed, about once a second."""
        table = self.warehouse.render("{store}.progress")
        while True:
            await asyncio.sleep(1)
            changed = self.progress.take_changed()
            if changed:
                rows = self.progress.table(changed, datetime.now(UTC))
                await until_available("progress", lambda rows=rows: self.warehouse.insert(table, rows))  # type: ignore[misc]


def count_outcomes(block: Block, stored: Stored | None) -> None:
    """Each record of a settled block is stored, duplicate or rejected."""
    row = 0
    for part in block.decoded:
        topic, _ = part.receipt.partition
        metrics.RECORDS_CONSUMED.labels(topic).inc(part.receipt.records)
        rows = len(part.event_ms)
        if stored is not None:
            new = int(stored.new[row : row + rows].sum())
            row += rows
            metrics.RECORDS.labels(topic, "stored").inc(new)
            metrics.RECORDS.labels(topic, "duplicate").inc(rows - new)
        metrics.RECORDS.labels(topic, "rejected").inc(len(part.dead_letters))
        for letter in part.dead_letters:
            metrics.REJECTS.labels(topic, letter.reason).inc()
