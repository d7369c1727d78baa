"""Public traces through ingest and rollup, each once a session, for every test that asks something of them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from compared import declare
from pipeline import Lab, Log

from streams.traces import TRACES

MIDTOWN = ["11844", "13022", "11875"]
"""Places in New York that many check in at: Times Square, Grand Central Terminal, Madison Square Garden."""

SETTINGS: dict[str, dict[str, Any]] = {
    "bicycles-meta": {
        "values": {"safety": {"terms": ["helmet", "safe", "safety"]}, "repair": {"terms": ["fix", "tool"]}}
    },
    "duraspace": {"values": {"openness": {"terms": ["open source", "community", "license"]}}},
    **{f"gitter-{room}": {"values": {"help": {"terms": ["docs"]}}} for room in ("docker", "gitter", "appium")},
    "gowalla-nyc": {"values": {"midtown": {"terms": ["midtown"], "acts": {"places": MIDTOWN}}}},
}
"""What the communities of the traces set for themselves, if anything: what they hold dear, and the zone stays UTC."""

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
        declare(lab.warehouse, SETTINGS)

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
