"""What processes cost: CPU seconds over a stretch of time, most memory held in it; and how fast the machine was."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from statistics import fmean
from types import TracebackType

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


class Meter:
    """Context manager that watches processes by name; `costs` and `seconds` hold the result afterwards."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._processes = {name: psutil.Process(pid) for name, pid in pids.items()}
        self._before: dict[str, float] = {}
        self._peaks = dict.fromkeys(pids, 0)
        self._pieces: list[float] = []
        self._done = threading.Event()
        self._watch = threading.Thread(target=self._sample, daemon=True)
        self._started = 0.0
        self.seconds = 0.0
        self.costs: dict[str, Cost] = {}
        self.piece_us = 0.0

    def _sample(self) -> None:
        for number in count():
            if number % PIECE_EVERY == 0:
                self._pieces.append(piece_us())
            for name, process in self._processes.items():
                self._peaks[name] = max(self._peaks[name], process.memory_info().rss)
            if self._done.wait(SAMPLE_S):
                return

    def _cpu(self, name: str) -> float:
        times = self._processes[name].cpu_times()
        return float(times.user + times.system)

    def __enter__(self) -> Meter:
        self._before = {name: self._cpu(name) for name in self._processes}
        self._started = time.monotonic()
        self._watch.start()
        return self

    def so_far(self) -> dict[str, Cost]:
        """What each process has cost until now."""
        return {name: Cost(self._cpu(name) - self._before[name], self._peaks[name]) for name in self._processes}

    def mean_piece_us(self) -> float:
        """What a fixed piece of work has cost beside them until now."""
        return fmean(self._pieces)

    def mark(self) -> None:
        """The measured stretch ends here; `so_far` goes on."""
        self.seconds = time.monotonic() - self._started
        self.costs, self.piece_us = self.so_far(), self.mean_piece_us()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._watch.join()
        if kind is None and not self.costs:
            self.mark()
