"""What processes cost: CPU seconds over a stretch of time, most memory held in it; and how fast the machine was."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from statistics import fmean
from types import TracebackType
from typing import NamedTuple

import numpy as np
import psutil

SAMPLE_S = 0.1
PIECE_EVERY = 3
"""A piece of work every so many samples: some four thousandths of a core."""

_NUMBERS = np.random.default_rng(1).integers(0, 2**62, 1 << 19, np.int64)


def piece_us() -> float:
    """CPU microseconds that a fixed piece of work takes: a sort, a sum of what fits no inner cache, a loop in Python.

    Machines that are shared change their speed from one minute to the next; what is measured beside such pieces can be
    told in pieces.
    """
    started = time.thread_time_ns()
    np.sort(_NUMBERS[: 1 << 14])
    _NUMBERS.sum()
    sum(range(20_000))
    return (time.thread_time_ns() - started) / 1000


@dataclass(frozen=True)
class Cost:
    """CPU seconds (user and system) and peak resident bytes of one process."""

    cpu_s: float
    peak_rss: int


@dataclass(frozen=True)
class Lap:
    """What processes cost over some time, and CPU microseconds of a fixed piece of work beside them."""

    seconds: float
    costs: dict[str, Cost]
    piece_us: float


class _Moment(NamedTuple):
    """Where a lap begins: the time, CPU seconds by process, how many samples and pieces there were."""

    at: float
    cpu_s: dict[str, float]
    samples: int
    pieces: int


class Meter:
    """Context manager that watches processes by name; `costs` and `seconds` hold the result afterwards."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._processes = {name: psutil.Process(pid) for name, pid in pids.items()}
        self._samples: list[dict[str, int]] = []
        self._pieces: list[float] = []
        self._done = threading.Event()
        self._watch = threading.Thread(target=self._sample, daemon=True)
        self.seconds = 0.0
        self.costs: dict[str, Cost] = {}
        self.piece_us = 0.0

    def _sample(self) -> None:
        for number in count():
            if number % PIECE_EVERY == 0:
                self._pieces.append(piece_us())
            self._samples.append(self._memory())
            if self._done.wait(SAMPLE_S):
                return

    def _memory(self) -> dict[str, int]:
        return {name: process.memory_info().rss for name, process in self._processes.items()}

    def _now(self) -> _Moment:
        times = {name: process.cpu_times() for name, process in self._processes.items()}
        cpu_s = {name: float(each.user + each.system) for name, each in times.items()}
        return _Moment(time.monotonic(), cpu_s, len(self._samples), len(self._pieces))

    def _between(self, start: _Moment, now: _Moment) -> Lap:
        held = [self._memory(), *self._samples[start.samples :]]
        costs = {
            name: Cost(cpu_s - start.cpu_s[name], max(sample[name] for sample in held))
            for name, cpu_s in now.cpu_s.items()
        }
        return Lap(now.at - start.at, costs, fmean(self._pieces[start.pieces :] or self._pieces[-1:]))

    def __enter__(self) -> Meter:
        self._start = self._lap = self._now()
        self._watch.start()
        return self

    def so_far(self) -> Lap:
        """What it has cost until now."""
        return self._between(self._start, self._now())

    def lap(self) -> Lap:
        """What it has cost since the last lap."""
        started, self._lap = self._lap, self._now()
        return self._between(started, self._lap)

    def mark(self) -> None:
        """The measured stretch ends here; `so_far` goes on."""
        so_far = self.so_far()
        self.seconds, self.costs, self.piece_us = so_far.seconds, so_far.costs, so_far.piece_us

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._watch.join()
        if kind is None and not self.costs:
            self.mark()
