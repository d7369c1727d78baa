"""Waiting until the pipeline has nothing left to do: every record of every topic it reads is committed."""

from __future__ import annotations

import time

from streams.kafka import lag
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
    while True:
        behind = {
            partition: count for partition, count in lag(settings.kafka, group_id(settings), topics).items() if count
        }
        clean = clean + 1 if not behind else 0
        if clean == 2:
            return
        if time.monotonic() > deadline:
            left = ", ".join(f"{topic}[{partition}] {count:,}" for (topic, partition), count in sorted(behind.items()))
            raise TimeoutError(f"not settled after {timeout_s:g} s; records left: {left}. Is a worker running?")
        time.sleep(poll_s)
