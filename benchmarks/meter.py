"""What processes cost: CPU seconds over a stretch of time and the most memory they held in it."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType

import psutil

SAMPLE_S = 0.1


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
        self._done = threading.Event()
        self._watch = threading.Thread(target=self._sample, daemon=True)
        self._started = 0.0
        self.seconds = 0.0
        self.costs: dict[str, Cost] = {}

    def _sample(self) -> None:
        while True:
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

    def mark(self) -> None:
        """The measured stretch ends here; `so_far` goes on."""
        self.seconds = time.monotonic() - self._started
        self.costs = self.so_far()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._watch.join()
        if kind is None and not self.costs:
            self.mark()
