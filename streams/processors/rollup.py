"""Rollup: invalidations are coalesced, their buckets recomputed grain by grain, and only then are they acknowledged.

Every stage runs on its own, so that what is dear never keeps minutes waiting. Stages hand on marks and batches in
order, and each is one flush at a time: that is all the order there is, and all that acknowledging needs.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import msgspec
import structlog

from streams import metrics
from streams.aggregates import SECONDS
from streams.aggregates.local import LocalTime
from streams.clickhouse import Warehouse
from streams.processors import invalidations
from streams.processors.block import Batch
from streams.processors.corrections import restate_corrections
from streams.processors.progress import Progress
from streams.processors.recompute import VersionClock, every_bucket, recompute
from streams.processors.references import naming_minutes
from streams.processors.retry import until_available
from streams.processors.stages import Stage, buckets_of, stages, starts_of
from streams.processors.zones import local_time
from streams.settings import RollupSettings

log = structlog.get_logger()

QUIET = 2
"""For how many times as long as minutes are coalesced nothing must come until nothing more is expected: under a steady
load blocks are about that long apart."""

LAST_S = 0.1
"""The same at the end of a backlog: what its last block says comes in a few batches."""


class Rollup:
    """One worker's rollup. Its memory is what is dirty; what it forgets in a crash Kafka delivers again."""

    def __init__(
        self,
        settings: RollupSettings,
        warehouse: Warehouse,
        acknowledge: Callable[[Any], Awaitable[None]],
        is_current: Callable[[Any], bool],
        progress: Progress,
    ) -> None:
        self.settings = settings
        self.warehouse = warehouse
        self.acknowledge = acknowledge
        self.is_current = is_current
        self.progress = progress
        self.versions = VersionClock(warehouse)
        self.stages = stages(settings)
        self.last_offer = 0.0

    async def offer(self, batch: Batch) -> None:
        """Mark what a batch of invalidations says; never waits, because coalescing is what bounds the memory."""
        touched: dict[str, list[int]] = defaultdict(list)
        replaced: dict[str, list[int]] = defaultdict(list)
        oldest = 0
        for record in batch.records:
            try:
                invalidation = invalidations.decode(record.value)
            except msgspec.DecodeError as error:
                # Only the pipeline writes this topic. Stopping would not bring back what this record should have said.
                metrics.BAD_INVALIDATIONS.inc()
                log.error("unreadable invalidation; run `streams reconcile`", offset=record.offset, error=str(error))
                continue
            touched[invalidation.community_id] += invalidation.minutes
            if invalidation.replaced:
                replaced[invalidation.community_id] += invalidation.replaced
            if invalidation.settings:
                self.stages[0].change({invalidation.community_id: invalidation.settings})
            if invalidation.corrections:
                self.stages[0].correct(invalidation.community_id, invalidation.corrections, time.monotonic())
            if invalidation.received_at:
                oldest = min(oldest or invalidation.received_at, invalidation.received_at)
        self.last_offer = time.monotonic()
        self.stages[0].add(touched, replaced, [batch.receipt], self.last_offer, oldest)
        self.stages[0].wake.set()

    async def run(self) -> None:
        """Recompute what is due until cancelled, every stage on its own."""
        await asyncio.gather(*(self.run_stage(index) for index in range(len(self.stages))))

    async def run_stage(self, index: int) -> None:
        """Recompute what is due of one stage until cancelled, for no more than its duty while more is coming."""
        stage = self.stages[index]
        while True:
            stage.wake.clear()
            metrics.DIRTY_BUCKETS.labels(stage.name).set(stage.dirty.held)
            due_at = self.due_at(index)
            if due_at is None:
                await stage.wake.wait()
                continue
            started = time.monotonic()
            if due_at > started:
                # Until then a stage before it may have become empty, which is a reason to begin earlier.
                with suppress(TimeoutError):
                    await asyncio.wait_for(stage.wake.wait(), due_at - started)
                continue
            await self.flush(index, hold_corrections=self.may_hold_corrections(index, started))
            stage.rests_from = time.monotonic()
            stage.took = stage.rests_from - started

    def due_at(self, index: int) -> float | None:
        """When a stage is to run next, monotonic clock; None when nothing of it is dirty.

        Waiting saves work, and resting leaves room for others, only while more is coming: once it is quiet, each stage
        follows as soon as those before it are done.
        """
        stage = self.stages[index]
        dirty_at = [] if stage.since is None else [(self.coalesced(index, stage.since, stage.interval_s), stage.since)]
        if stage.corrections:
            since = stage.corrections_since
            dirty_at.append((self.coalesced(index, since, self.settings.corrections_s), since))
        if not dirty_at:
            return None
        due, since = min(dirty_at)
        backlog = self.progress.backlog(time.monotonic()) == "read"
        at = max(due, stage.rested_at(self.settings.backlog_duty if backlog else 1.0))
        if any(before.since is not None or before.running for before in self.stages[:index]):
            return at
        return min(at, max(since, self.quiet_at()))

    def coalesced(self, index: int, since: float, interval_s: float) -> float:
        """Until when what is dirty since a moment waits for more: from the last full block on, but not for ever.

        What may take a tenth of the time waits ten times as long at the most, and so much longer as it rests in a
        backlog while stages before it have something of that left.
        """
        duty = self.stages[index].duty
        if any(before.in_hand_since() <= self.progress.full_at for before in self.stages[:index]):
            return since + interval_s / (duty * self.settings.backlog_duty)
        return min(max(since, self.progress.full_at) + interval_s, since + interval_s / duty)

    def quiet_at(self) -> float:
        """When nothing more is expected, unless something comes before."""
        ended = self.progress.backlog(time.monotonic()) == "ended"
        return self.last_offer + (LAST_S if ended else QUIET * self.settings.minute_s)

    def may_hold_corrections(self, index: int, now: float) -> bool:
        """Whether corrections may wait for more: their facts are all over the history, which is then read once."""
        stage = self.stages[index]
        due_at = min(self.coalesced(index, stage.corrections_since, self.settings.corrections_s), self.quiet_at())
        return bool(stage.corrections) and now < due_at

    async def flush(self, index: int, hold_corrections: bool = False) -> None:
        """Recompute the dirty buckets of one stage, then hand them on to the next, or acknowledge."""
        stage = self.stages[index]
        taken = stage.take(hold_corrections)
        stage.running = taken
        try:
            if index == len(self.stages) - 1:
                # Only now: what the ties before these have not found is awaited since they were written.
                naming = await until_available("references", lambda: self.naming(taken))
                for community, minutes in naming.items():
                    for marks in (taken.dirty, taken.replaced):
                        marks.add(community, starts_of(list(minutes), SECONDS["minute"]))
            await until_available("recompute", lambda: self.recompute(taken))
            await self.hand_on(index, taken)
        finally:
            stage.running = None
        for later in self.stages[index:]:
            later.wake.set()

    async def hand_on(self, index: int, taken: Stage) -> None:
        """What a stage has recomputed is dirty in the next; after the last its batches are acknowledged."""
        if taken.oldest_received_ms:
            metrics.QUERYABLE_LATENCY_SECONDS.observe(max(0.0, time.time() - taken.oldest_received_ms / 1000))
        now = time.monotonic()
        for batch in taken.waiting:
            self.progress.moved(batch.partition, now)
        last = len(self.stages) - 1
        if index == 0:
            # What is deferred keeps minutes. The batches follow through the grains, and are acknowledged after both.
            self.stages[last].add(taken.dirty, taken.replaced, (), now)
        if index < last:
            dirty, replaced = (taken.dirty, taken.replaced) if index + 1 < last else ({}, {})
            following = self.stages[index + 1]
            following.change(taken.settings)
            following.add(dirty, replaced, taken.waiting, now)
            following.came_at = min(following.came_at, taken.came_at)
            return
        for batch in taken.waiting:
            if self.is_current(batch.token):
                await self.acknowledge(batch.token)
                self.progress.stored(batch.partition, batch.next_offset, now)

    def naming(self, stage: Stage) -> dict[str, set[int]]:
        """Minutes whose ties depend on events of the minutes of a stage."""
        return naming_minutes(self.warehouse, stage.dirty, stage.replaced)

    def recompute(self, stage: Stage) -> None:
        """Recompute every aggregate of a stage, after the corrections that decide whose the facts are."""
        if stage.corrections:
            for community, minutes in restate_corrections(
                self.warehouse, stage.corrections, self.versions.take()
            ).items():
                # Who was somebody else, or is hidden, leaves keys behind.
                for marks in (stage.dirty, stage.replaced):
                    marks.add(community, starts_of(list(minutes), SECONDS["minute"]))
        version = self.versions.take()
        local = local_time(self.warehouse) if any(aggregate.local for aggregate in stage.aggregates) else LocalTime()
        for aggregate in stage.aggregates:
            dirty, replaced = (buckets_of(aggregate, marks, local) for marks in (stage.dirty, stage.replaced))
            depending = [name for name, parts in stage.settings.items() if parts & aggregate.settings]
            if depending:
                for community, starts in every_bucket(self.warehouse, aggregate, depending).items():
                    for buckets in (dirty, replaced):
                        buckets[community] = {*buckets.get(community, ()), *starts}
            recompute(self.warehouse, aggregate, dirty, replaced, version, local)
