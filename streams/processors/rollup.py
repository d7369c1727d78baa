"""Rollup: invalidations are coalesced, their buckets recomputed grain by grain, and only then are they acknowledged."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
import structlog

from streams import metrics
from streams.aggregates import ALL, SECONDS, Aggregate, Grain
from streams.aggregates.local import LocalTime
from streams.clickhouse import Warehouse
from streams.communities.settings import Part
from streams.processors import invalidations
from streams.processors.block import Batch
from streams.processors.corrections import restate_corrections
from streams.processors.progress import Progress
from streams.processors.recompute import VersionClock, every_bucket, recompute
from streams.processors.references import naming_minutes
from streams.processors.retry import until_available
from streams.processors.zones import local_time
from streams.settings import RollupSettings

log = structlog.get_logger()

Marks = Mapping[str, set[int]]
"""Community -> starts of buckets, epoch seconds."""

GRAINS: tuple[Grain, ...] = ("minute", "hour", "day")


@dataclass(slots=True)
class Stage:
    """Aggregates that are recomputed together, their dirty buckets, and the batches that wait for them.

    Marks are minutes in the first stage and in the last, which it hands them to; hours in between.
    """

    name: str
    aggregates: tuple[Aggregate, ...]
    interval_s: float
    marks: Grain = "hour"
    dirty: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    replaced: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    settings: dict[str, set[Part]] = field(default_factory=lambda: defaultdict(set))
    """Community -> parts of its settings that changed."""
    corrections: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Community -> ids of corrections that came, changed or went: only the first grain has any."""
    waiting: list[Batch] = field(default_factory=list)
    since: float | None = None
    oldest_received_ms: int = 0

    def add(self, dirty: Marks, replaced: Marks, batches: Sequence[Batch], now: float, received_ms: int = 0) -> None:
        """Mark buckets dirty on behalf of some batches, and those of them in which keys may have vanished."""
        # Days are told when they are recomputed, each in the zone of its community: until then their hours are kept.
        size = SECONDS[self.marks]
        for marks, more in ((self.dirty, dirty), (self.replaced, replaced)):
            for community, starts in more.items():
                marks[community].update(starts if size == SECONDS["minute"] else starts_of(starts, size))
        self.waiting.extend(batches)
        if self.since is None:
            self.since = now
        if received_ms and (not self.oldest_received_ms or received_ms < self.oldest_received_ms):
            self.oldest_received_ms = received_ms

    def change(self, settings: Mapping[str, Iterable[Part]]) -> None:
        """Note parts of settings that changed, on behalf of batches that are added."""
        for community, parts in settings.items():
            self.settings[community].update(parts)

    def take(self) -> Stage:
        """Everything that is dirty now; what comes later is for the next run."""
        taken = copy(self)
        self.dirty, self.replaced = defaultdict(set), defaultdict(set)
        self.settings, self.corrections = defaultdict(set), defaultdict(set)
        self.waiting, self.since, self.oldest_received_ms = [], None, 0
        return taken


def starts_of(moments: set[int], size: int) -> list[int]:
    """Starts of the buckets of `size` seconds that contain some moments, each once."""
    array = np.fromiter(moments, np.int64, len(moments))
    starts: list[int] = np.unique(array - array % size).tolist()
    return starts


def stages(settings: RollupSettings) -> list[Stage]:
    """Every aggregate in one stage: grain by grain what the others are made of, and at last what is deferred."""
    intervals = (settings.minute_s, settings.hour_s, settings.day_s)
    found = [
        Stage(grain, tuple(each for each in ALL if each.grain == grain and not each.deferred), interval_s)
        for grain, interval_s in zip(GRAINS, intervals, strict=True)
    ]
    found[0].marks = "minute"
    return [*found, Stage("deferred", tuple(each for each in ALL if each.deferred), settings.deferred_s, "minute")]


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
        self.wake = asyncio.Event()

    async def offer(self, batch: Batch) -> None:
        """Mark what a batch of invalidations says; never waits, because coalescing is what bounds the memory."""
        touched: dict[str, set[int]] = defaultdict(set)
        replaced: dict[str, set[int]] = defaultdict(set)
        oldest = 0
        for record in batch.records:
            try:
                invalidation = invalidations.decode(record.value)
            except msgspec.DecodeError as error:
                # Only the pipeline writes this topic. Stopping would not bring back what this record should have said.
                metrics.BAD_INVALIDATIONS.inc()
                log.error("unreadable invalidation; run `streams reconcile`", offset=record.offset, error=str(error))
                continue
            touched[invalidation.community_id].update(invalidation.minutes)
            if invalidation.replaced:
                replaced[invalidation.community_id].update(invalidation.replaced)
            if invalidation.settings:
                self.stages[0].change({invalidation.community_id: invalidation.settings})
            if invalidation.corrections:
                self.stages[0].corrections[invalidation.community_id].update(invalidation.corrections)
            if invalidation.received_at:
                oldest = min(oldest or invalidation.received_at, invalidation.received_at)
        self.last_offer = time.monotonic()
        self.stages[0].add(touched, replaced, [batch], self.last_offer, oldest)
        self.wake.set()

    async def run(self) -> None:
        """Recompute what is due until cancelled, the smallest grain first, for no more than `duty` of the time."""
        rest_until = 0.0
        while True:
            for stage in self.stages:
                metrics.DIRTY_BUCKETS.labels(stage.name).set(sum(len(starts) for starts in stage.dirty.values()))
            index, at = self.next_due()
            if index is None:
                self.wake.clear()
                await self.wake.wait()
                continue
            now = time.monotonic()
            if max(at, rest_until) > now:
                await asyncio.sleep(max(at, rest_until) - now)
                continue
            await self.flush(index)
            took = time.monotonic() - now
            if self.quiet_at <= time.monotonic():
                continue  # nobody to leave room for
            rest_until = time.monotonic() + took * (1 - self.settings.duty) / self.settings.duty

    @property
    def quiet_at(self) -> float:
        """When nothing has come for as long as minutes are coalesced, monotonic clock."""
        return self.last_offer + self.settings.minute_s

    def next_due(self) -> tuple[int | None, float]:
        """The stage that runs next and when, monotonic clock; (None, 0) when nothing is dirty.

        Waiting saves work only while more is coming: once it is quiet for as long as minutes are coalesced, the larger
        grains follow at once.
        """
        due: list[tuple[float, int]] = []
        for index, stage in enumerate(self.stages):
            if stage.since is not None:
                at = stage.since + stage.interval_s
                due.append((at if due else min(at, max(self.quiet_at, stage.since)), index))
        if not due:
            return None, 0.0
        at, index = min(due)
        return index, at

    async def flush(self, index: int) -> None:
        """Recompute the dirty buckets of one stage, then hand them on to the next, or acknowledge."""
        taken = self.stages[index].take()
        await until_available("recompute", lambda: self.recompute(taken))
        naming = await until_available("references", lambda: self.naming(taken)) if index == 0 else {}
        if taken.oldest_received_ms:
            metrics.QUERYABLE_LATENCY_SECONDS.observe(max(0.0, time.time() - taken.oldest_received_ms / 1000))
        now = time.monotonic()
        for batch in taken.waiting:
            self.progress.moved((batch.topic, batch.partition), now)
        last = len(self.stages) - 1
        if index == 0:
            # What is deferred keeps minutes. The batches follow through the grains, and are acknowledged after both.
            self.stages[last].add(taken.dirty, taken.replaced, (), now)
            self.stages[last].add(naming, naming, (), now)
        if index < last:
            dirty, replaced = (taken.dirty, taken.replaced) if index + 1 < last else ({}, {})
            self.stages[index + 1].change(taken.settings)
            self.stages[index + 1].add(dirty, replaced, taken.waiting, now)
            return
        for batch in taken.waiting:
            if self.is_current(batch.token):
                await self.acknowledge(batch.token)
                self.progress.stored((batch.topic, batch.partition), batch.records[-1].offset + 1, now)

    def naming(self, stage: Stage) -> Marks:
        """Minutes whose ties depend on events of the minutes of a stage."""
        return naming_minutes(self.warehouse, stage.dirty, stage.replaced)

    def recompute(self, stage: Stage) -> None:
        """Recompute every aggregate of a stage, after the corrections that decide whose the facts are."""
        if stage.corrections:
            for community, minutes in restate_corrections(
                self.warehouse, stage.corrections, self.versions.take()
            ).items():
                stage.dirty[community] |= minutes
                # Who was somebody else, or is hidden, leaves keys behind.
                stage.replaced[community] |= minutes
        version = self.versions.take()
        local = local_time(self.warehouse) if any(aggregate.local for aggregate in stage.aggregates) else LocalTime()
        for aggregate in stage.aggregates:
            dirty, replaced = (buckets_of(aggregate, marks, local) for marks in (stage.dirty, stage.replaced))
            depending = [name for name, parts in stage.settings.items() if parts & aggregate.settings]
            if depending:
                for community, starts in every_bucket(self.warehouse, aggregate, depending).items():
                    dirty[community] = {*dirty.get(community, ()), *starts}
                    replaced[community] = {*replaced.get(community, ()), *starts}
            recompute(self.warehouse, aggregate, dirty, replaced, version, local)


def buckets_of(aggregate: Aggregate, marks: Marks, local: LocalTime) -> dict[str, Iterable[int]]:
    """Buckets of an aggregate that contain the marks of its stage."""
    if aggregate.grain == "minute":
        return dict(marks)
    if aggregate.local:
        return dict(local.days_of(marks))
    return {community: starts_of(starts, SECONDS[aggregate.grain]) for community, starts in marks.items()}
