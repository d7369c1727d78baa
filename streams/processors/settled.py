"""Waiting until the pipeline has nothing left to do: every record of every topic it reads is committed."""

from __future__ import annotations

import time
from collections.abc import Mapping

from streams.kafka import Partition, committed, end_offsets
from streams.settings import Settings
from streams.topics import ALL
from streams.topics.internal import INVALIDATIONS


def group_id(settings: Settings) -> str:
    """The consumer group of the workers."""
    return f"{settings.kafka.topic_prefix}pipeline"


def wait_until_settled(settings: Settings, timeout_s: float, poll_s: float = 0.5) -> None:
    """Return when all facts are stored and all buckets recomputed.

    Raises TimeoutError with what is left after `timeout_s`. Invalidations are published before their events are
    committed, so that two looks in a row without lag mean that nothing is on its way.
    """
    prefix = settings.kafka.topic_prefix
    topics = [family.topic(prefix) for family in ALL] + [INVALIDATIONS.topic(prefix)]
    deadline = time.monotonic() + timeout_s
    clean = 0
    ends: dict[Partition, int] = {}
    while True:
        done = committed(settings.kafka, group_id(settings))
        behind = _behind(done, ends)
        if not behind:
            # Ends only grow, and asking for them costs the embedded broker a fetch from every partition.
            ends = end_offsets(settings.kafka, topics)
            behind = _behind(done, ends)
        clean = clean + 1 if not behind else 0
        if clean == 2:
            return
        if time.monotonic() > deadline:
            left = ", ".join(f"{topic}[{partition}] {count:,}" for (topic, partition), count in sorted(behind.items()))
            raise TimeoutError(f"not settled after {timeout_s:g} s; records left: {left}. Is a worker running?")
        time.sleep(poll_s)


def _behind(done: Mapping[Partition, int], ends: Mapping[Partition, int]) -> dict[Partition, int]:
    """Records left by partition, of those that have some left."""
    lags = {partition: end - done.get(partition, 0) for partition, end in ends.items()}
    return {partition: lag for partition, lag in lags.items() if lag > 0}
