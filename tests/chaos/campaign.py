"""Killing workers over and over while input flows, and what came of it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random

from .deployment import Lane
from .traffic import Traffic
from .verdict import Verdict
from .workers import Stuck, WorkerProcess

DELAY_MS = (2, 500)
TRIGGERS = ("partitions assigned", "decoding", "facts inserted", "invalidations published", "minutes recomputed")
"""Signs of life after which a kill may come."""
START_S = 60.0


@dataclass(frozen=True)
class Kill:
    """One kill -9: how long after the trigger, and what the worker was doing in each of its parallel parts."""

    worker: str
    trigger: str
    delay_ms: int
    now: dict[str, str]


@dataclass
class Slot:
    """The lives of one worker, one after another, and when each was killed (monotonic clock, s)."""

    lives: list[WorkerProcess]
    deaths: list[float] = field(default_factory=list)

    def recoveries(self) -> list[float]:
        """For each death the seconds until a later life had stored facts."""
        stored = [(life.started, life.seen().first["facts inserted"]) for life in self.lives]
        found = []
        for death in self.deaths:
            after = [at for started, at in stored if at and started >= death]
            found += [min(after) - death] if after else []
        return found


@dataclass
class Outcome:
    """A campaign over one lane."""

    lane: str
    seed: int
    published: Traffic
    kills: list[Kill] = field(default_factory=list)
    recoveries: list[float] = field(default_factory=list)
    exits: list[str] = field(default_factory=list)
    """Workers that ended by themselves, with the end of their logs."""
    peak_rss: int = 0
    took_s: float = 0.0
    verdict: Verdict = field(default_factory=Verdict)

    def where(self) -> Counter[str]:
        """What ingest was writing, or else what rollup was doing, at each kill."""
        return Counter(place for kill in self.kills for place in set(kill.now.values()))


def campaign(lane: Lane, published: Traffic, kills: int, workers: int = 1, settle_s: float = 120.0) -> Outcome:
    """Publish in waves; kill a worker in each at a random moment of its work; judge when all is quiet.

    With several workers they are killed in turn, so that partitions move each time.
    """
    rng = Random(f"campaign/{published.seed}")
    outcome = Outcome(lane.name, published.seed, published)
    began = time.monotonic()
    waves = cut(published, kills + 1, rng)
    slots = [Slot([lane.start()]) for _ in range(workers)]
    for number in range(kills):
        slot = slots[number % workers]
        half = len(waves[number]) // 2
        lane.publish(waves[number][:half])
        trigger = rng.choice(TRIGGERS)
        delay_ms = rng.randint(*DELAY_MS)
        victim = reached(lane, outcome, slot, trigger)
        at = time.monotonic() + delay_ms / 1000
        lane.publish(waves[number][half:])
        time.sleep(max(0.0, at - time.monotonic()))
        outcome.peak_rss = max(outcome.peak_rss, victim.rss())
        victim.kill()
        slot.deaths.append(time.monotonic())
        outcome.kills.append(Kill(victim.name, trigger, delay_ms, victim.seen().now))
        slot.lives.append(lane.start())
    lane.publish(waves[-1])
    lane.settle(settle_s)
    outcome.took_s = time.monotonic() - began
    outcome.recoveries = [seconds for slot in slots for seconds in slot.recoveries()]
    outcome.verdict = lane.judge(published)
    lane.kill_all()
    return outcome


def reached(lane: Lane, outcome: Outcome, slot: Slot, step: str) -> WorkerProcess:
    """Wait until a worker reaches a step; one that ended by itself is replaced, as a supervisor would."""
    for _ in range(3):
        worker = slot.lives[-1]
        try:
            worker.wait_for(step, START_S)
            return worker
        except Stuck:
            if worker.alive:
                raise
            outcome.exits.append(worker.log_tail(60))
            slot.lives.append(lane.start())
    raise Stuck(f"three workers in a row ended by themselves:\n{outcome.exits[-1]}")


def cut(published: Traffic, parts: int, rng: Random) -> list[Sequence]:
    """The records in consecutive waves of uneven length."""
    records = published.records
    edges = sorted(rng.sample(range(1, len(records)), parts - 1))
    even = [round(len(records) * number / parts) for number in range(1, parts)]
    marks = [0, *((edge + 2 * flat) // 3 for edge, flat in zip(edges, even, strict=True)), len(records)]
    return [records[low:high] for low, high in pairwise(marks)]
