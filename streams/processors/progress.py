"""How far each partition has come: watermark, next offset and lag. Freshness, health and lateness are told from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf
from typing import Literal

import numpy as np
import pyarrow as pa

from streams import metrics
from streams.processors.facts import Int64s

Partition = tuple[str, int]

AGES = (("1m", 60_000), ("1h", 3_600_000), ("1d", 86_400_000), ("30d", 30 * 86_400_000))
"""Bands of lateness: up to so many ms behind the watermark; older events count as `older`."""


FULL_S = 5.0
"""For how long a full block tells of a backlog, in seconds."""


@dataclass(slots=True)
class Position:
    """One partition as this worker sees it. Times in ms since the epoch, `moved_at` on the monotonic clock in s."""

    watermark_ms: int = 0
    next_offset: int = 0
    end_offset: int = 0
    moved_at: float = 0.0
    heard_at: float = inf
    """When it was last found that a fetch had been answered, at first when it was assigned; monotonic clock in s."""
    answered_ms: int | None = None
    """Time of that answer as the client notes it, in ms since the epoch; None before the first."""
    stopped: str = ""

    @property
    def lag(self) -> int:
        """Records published and not yet acknowledged."""
        return max(0, self.end_offset - self.next_offset)

    def heard(self, answered_ms: int | None, now: float) -> None:
        """The client says when the broker last answered a fetch of the partition, be it that there was nothing."""
        if answered_ms != self.answered_ms:
            self.answered_ms, self.heard_at = answered_ms, now


class Progress:
    """Positions of the partitions this worker owns."""

    def __init__(self, disorder_s: float) -> None:
        self.disorder_ms = int(disorder_s * 1000)
        self.positions: dict[Partition, Position] = {}
        self.full_at = -inf
        """When the last full block was written, monotonic clock."""
        self.last_was_small = False
        self._changed: set[Partition] = set()

    def assign(self, committed: Mapping[Partition, int | None], now: float) -> None:
        """Own exactly these partitions from now on. Gauges of others would stay as they were, and so for ever."""
        metrics.LAG.clear()
        metrics.WATERMARK.clear()
        kept = self.positions
        self.positions = {
            partition: Position(
                kept[partition].watermark_ms if partition in kept else 0, offset or 0, offset or 0, now, heard_at=now
            )
            for partition, offset in committed.items()
        }
        self._changed &= set(self.positions)

    def position(self, partition: Partition) -> Position:
        """The position of a partition, made when it is new."""
        return self.positions.setdefault(partition, Position())

    def observe_events(self, partition: Partition, event_ms: Int64s) -> None:
        """Count late events against the watermark so far, then move the watermark."""
        if not len(event_ms):
            return
        position = self.position(partition)
        behind = position.watermark_ms - event_ms
        late = behind[behind > 0]
        if len(late):
            bands = np.searchsorted(np.array([limit for _, limit in AGES]), late)
            names = [name for name, _ in AGES] + ["older"]
            for band, count in zip(*np.unique(bands, return_counts=True), strict=True):
                metrics.LATE_EVENTS.labels(names[int(band)]).inc(int(count))
        position.watermark_ms = max(position.watermark_ms, int(event_ms.max()) - self.disorder_ms)

    def stored(self, partition: Partition, next_offset: int, now: float) -> None:
        """Everything before `next_offset` is durable."""
        position = self.position(partition)
        position.next_offset = max(position.next_offset, next_offset)
        position.end_offset = max(position.end_offset, next_offset)
        position.moved_at = now
        self._changed.add(partition)

    def moved(self, partition: Partition, now: float) -> None:
        """Work on a partition goes on, though nothing of it can be acknowledged yet."""
        self.position(partition).moved_at = now

    def ended(self, partition: Partition, end_offset: int, now: float) -> None:
        """The broker says where the partition ends."""
        position = self.position(partition)
        if end_offset != position.end_offset:
            if position.lag == 0:
                position.moved_at = now
            position.end_offset = max(end_offset, position.next_offset)
            self._changed.add(partition)

    def wrote(self, share: float, left: float, now: float) -> None:
        """A block was written, which held this share of what a full one does; so much was left, itself included."""
        self.last_was_small = max(share, left) < 0.5
        if share >= 1:
            self.full_at = now

    def backlog(self, now: float) -> Literal["none", "read", "ended"]:
        """Whether a backlog is read, as full blocks tell, or has ended a moment ago: a small one, and no more left."""
        if now - self.full_at >= FULL_S:
            return "none"
        return "ended" if self.last_was_small else "read"

    def take_changed(self) -> list[Partition]:
        """Partitions that changed since the last call, also before this worker has stored a fact of them.

        What an earlier one has written keeps its watermark: the greatest counts.
        """
        changed = sorted(p for p in self._changed if p in self.positions)
        self._changed.clear()
        return changed

    def table(self, partitions: Iterable[Partition], now: datetime) -> pa.Table:
        """Rows of `progress` for some partitions."""
        rows = [(topic, partition, self.positions[topic, partition]) for topic, partition in partitions]
        moment = pa.timestamp("ms", "UTC")
        return pa.table(
            {
                "topic": pa.array([topic for topic, _, _ in rows], pa.string()),
                "partition": pa.array([partition for _, partition, _ in rows], pa.uint32()),
                "watermark": pa.array([max(0, position.watermark_ms) for _, _, position in rows], pa.int64()).cast(
                    moment
                ),
                "offset": pa.array([position.next_offset for _, _, position in rows], pa.int64()),
                "lag": pa.array([position.lag for _, _, position in rows], pa.int64()),
                "updated_at": pa.array([now.astimezone(UTC)] * len(rows), moment),
            }
        )

    def stalled(self, now: float, after_s: float) -> dict[Partition, str]:
        """Partitions that do not move although there is something to read, with the reason."""
        problems = {}
        for (topic, partition), position in sorted(self.positions.items()):
            if position.stopped:
                problems[topic, partition] = position.stopped
            elif position.lag > 0 and now - position.moved_at > after_s:
                problems[topic, partition] = (
                    f"{position.lag:,} records behind and no progress for {now - position.moved_at:.0f} s"
                )
        return problems
