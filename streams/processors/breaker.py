"""A circuit breaker for one partition: when most of what it brings is rejected, the fault is not in the records."""

from __future__ import annotations

from collections import deque


class RejectBreaker:
    """Opens when more than `max_ratio` of the last `window` records were rejected; needs at least `window` of them."""

    def __init__(self, max_ratio: float, window: int) -> None:
        self.max_ratio = max_ratio
        self.window = window
        self._batches: deque[tuple[int, int]] = deque()
        self._records = 0
        self._rejected = 0

    def observe(self, records: int, rejected: int) -> bool:
        """Count a batch; True when the partition must stop instead of writing this batch."""
        self._batches.append((records, rejected))
        self._records += records
        self._rejected += rejected
        while self._records - self._batches[0][0] >= self.window:
            old_records, old_rejected = self._batches.popleft()
            self._records -= old_records
            self._rejected -= old_rejected
        return self._records >= self.window and self._rejected > self.max_ratio * self._records
