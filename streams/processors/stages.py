"""Stages of the rollup: what is dirty in each, and the batches that wait for it."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from math import inf
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from streams.aggregates import ALL, SECONDS, Aggregate, Grain
from streams.aggregates.local import LocalTime
from streams.communities.settings import Part
from streams.processors.block import Receipt
from streams.settings import RollupSettings

Starts = np.ndarray[Any, np.dtype[np.uint32]]

GRAINS: tuple[Grain, ...] = ("minute", "hour", "day")


class Marks(Mapping[str, Starts]):
    """Community -> starts of buckets, epoch seconds: sorted, each once. Four bytes each: a backfill marks millions.

    What is added is sorted in when somebody looks, or when there is more of it than of what is sorted: so a mark costs
    the same however many there are.
    """

    def __init__(self) -> None:
        self._sorted: dict[str, Starts] = {}
        self._added: dict[str, list[Starts]] = {}
        self._held: dict[str, int] = {}

    def add(self, community: str, starts: Starts) -> None:
        """Mark some buckets, of which each is named once."""
        held = self._held[community] = self._held.get(community, 0) + len(starts)
        self._added.setdefault(community, []).append(starts)
        if community not in self._sorted or held > 2 * len(self._sorted[community]):
            self._sort(community)

    def _sort(self, community: str) -> None:
        added = self._added.pop(community)
        known = self._sorted.get(community)
        pieces = added if known is None else [known, *added]
        starts = pieces[0] if len(pieces) == 1 else np.unique(np.concatenate(pieces))
        self._sorted[community], self._held[community] = starts, len(starts)

    def __getitem__(self, community: str) -> Starts:
        if community in self._added:
            self._sort(community)
        return self._sorted[community]

    def __iter__(self) -> Iterator[str]:
        return iter(self._sorted)

    def __len__(self) -> int:
        return len(self._sorted)

    @property
    def held(self) -> int:
        """How many marks there are, and less than as many again for what is named twice."""
        return sum(self._held.values())


@dataclass(slots=True)
class Stage:
    """Aggregates that are recomputed together, their dirty buckets, and the batches that wait for them.

    Marks are minutes in the first stage and in the last, which it hands them to; hours in between.
    """

    name: str
    aggregates: tuple[Aggregate, ...]
    interval_s: float
    duty: float = 1.0
    """Largest share of the time that it may take while more is coming."""
    marks: Grain = "hour"
    dirty: Marks = field(default_factory=Marks)
    replaced: Marks = field(default_factory=Marks)
    settings: dict[str, set[Part]] = field(default_factory=lambda: defaultdict(set))
    """Community -> parts of its settings that changed."""
    corrections: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Community -> ids of corrections that came, changed or went: only the first grain has any."""
    corrections_since: float = 0.0
    waiting: list[Receipt] = field(default_factory=list)
    since: float | None = None
    came_at: float = inf
    """When the first of what is dirty came to the rollup, monotonic clock."""
    oldest_received_ms: int = 0
    running: Stage | None = None
    """What its run that goes on has taken."""
    took: float = 0.0
    """How long its last run took, in seconds."""
    rests_from: float = 0.0
    """When it ended, monotonic clock."""
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when there may be a reason to begin earlier than planned."""

    def add(
        self,
        dirty: Mapping[str, ArrayLike],
        replaced: Mapping[str, ArrayLike],
        batches: Sequence[Receipt],
        now: float,
        received_ms: int = 0,
    ) -> None:
        """Mark the buckets of some moments dirty, for some batches; in those of `replaced` keys may have vanished."""
        # Days are told when they are recomputed, each in the zone of its community: until then their hours are kept.
        for marks, more in ((self.dirty, dirty), (self.replaced, replaced)):
            for community, moments in more.items():
                marks.add(community, starts_of(moments, SECONDS[self.marks]))
        self.waiting.extend(batches)
        if self.since is None:
            self.since = now
        self.came_at = min(self.came_at, now)
        if received_ms and (not self.oldest_received_ms or received_ms < self.oldest_received_ms):
            self.oldest_received_ms = received_ms

    def change(self, settings: Mapping[str, Iterable[Part]]) -> None:
        """Note parts of settings that changed, on behalf of batches that are added."""
        for community, parts in settings.items():
            self.settings[community].update(parts)

    def correct(self, community: str, event_ids: Iterable[str], now: float) -> None:
        """Note corrections, on behalf of batches that are added."""
        if not self.corrections:
            self.corrections_since = now
        self.corrections[community].update(event_ids)

    def in_hand_since(self) -> float:
        """When the first of what waits or is being recomputed came to the rollup, monotonic clock."""
        return min(self.came_at, self.running.came_at if self.running else inf)

    def rested_at(self, part: float) -> float:
        """When it has rested for its last run, monotonic clock, if it takes a part of its share of the time."""
        duty = self.duty * part
        return self.rests_from + self.took * (1 - duty) / duty

    def take(self, hold_corrections: bool = False) -> Stage:
        """Everything that is dirty now; what comes later is for the next run.

        Corrections may be left for a later run, and then so are the batches: none is done before all of it is.
        """
        taken = copy(self)
        self.dirty, self.replaced, self.settings = Marks(), Marks(), defaultdict(set)
        self.since, self.came_at, self.oldest_received_ms = None, inf, 0
        if hold_corrections:
            taken.corrections, taken.waiting = defaultdict(set), []
        else:
            self.corrections, self.waiting = defaultdict(set), []
        return taken


def starts_of(moments: ArrayLike, size: int) -> Starts:
    """Starts of the buckets of `size` seconds that contain some moments (epoch seconds): sorted, each once."""
    array = np.asarray(moments, np.uint32)
    return np.unique(array - array % np.uint32(size))


def stages(settings: RollupSettings) -> list[Stage]:
    """Every aggregate in one stage: grain by grain what the others are made of, and at last what is deferred."""
    intervals = (settings.minute_s, settings.hour_s, settings.day_s)
    at_once, deferred = (tuple(each for each in ALL if each.deferred == later) for later in (False, True))
    # A larger grain reads more for one event: it waits for more of them.
    found = [
        Stage(grain, tuple(each for each in at_once if each.grain == grain), interval_s, settings.duty / 4**number)
        for number, (grain, interval_s) in enumerate(zip(GRAINS, intervals, strict=True))
    ]
    found[0].marks = "minute"
    return [*found, Stage("deferred", deferred, settings.deferred_s, settings.deferred_duty, "minute")]


def buckets_of(aggregate: Aggregate, marks: Marks, local: LocalTime) -> dict[str, Iterable[int]]:
    """Buckets of an aggregate that contain the marks of its stage."""
    if aggregate.grain == "minute":
        return dict(marks)
    if aggregate.local:
        return dict(local.days_of(marks))
    return {community: starts_of(starts, SECONDS[aggregate.grain]) for community, starts in marks.items()}
