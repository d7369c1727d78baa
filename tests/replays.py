"""Public traces through ingest and rollup, each once a session, for every test that asks something of them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from pipeline import Lab, Log

from streams.traces import TRACES

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
BATCH = 20_000


class Replayed(NamedTuple):
    """What became of a trace: events published, and how many of them were refused."""

    delivered: int
    rejected: int


class Replays:
    """A lab of its own, and the traces that were replayed in it."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.done: dict[str, Replayed] = {}

    def __call__(self, name: str) -> Replayed:
        """Store and recompute all of a trace, unless it was done before."""
        if name not in self.done:
            log = Log()
            received_ms = int(datetime.now(UTC).timestamp() * 1000)
            delivered = 0
            for event in TRACES[name].events(DATA):
                key = f"{event['community_id']}/{event['member_id']}".encode()
                log.append(self.lab.topic(event["type"]), key, json.dumps(event).encode(), received_ms)
                delivered += 1
            worker = self.lab.worker(log)
            # Half of it recomputed before the rest comes: buckets are replaced, not only written.
            self.lab.run(worker.take_in(BATCH))
            self.lab.run(worker.drain(BATCH))
            self.done[name] = Replayed(delivered, len(log.of(self.lab.dead_letter_topic)))
        return self.done[name]
