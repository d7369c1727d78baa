"""Freshness: how long from publishing an event until the analysts' view counts it, under a steady live load.

A probe community gets one event every 100 ms beside the load. Its n-th event is queryable as soon as the view says that
the community had n events: the time of that answer less the time of publishing is one measurement.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from aiokafka import AIOKafkaProducer

from benchmarks.bench import create_topics, settings_for, warehouse_for, worker_for
from benchmarks.events import Encoded, read
from benchmarks.fill import fill
from benchmarks.meter import Meter
from benchmarks.path import stored, wait_for
from streams.clickhouse import Warehouse
from streams.embedded.broker import EmbeddedBroker
from streams.processors.settled import wait_until_settled
from streams.settings import Settings
from streams.topics import by_name

PROBE = "probe"
PROBE_EVERY_S = 0.1
POLL_S = 0.1
TICK_S = 0.01
LOST_AFTER_S = 30.0

OCCURRED = b'"occurred_at":"'
STAMP_LENGTH = len("2025-06-02T00:00:00.000Z")

QUERY = f"SELECT sum(events) FROM {{db}}.activity_minute WHERE community_id = '{PROBE}' AND start >= "
"""Since when is added: as a dashboard asks, for the last while."""


@dataclass(frozen=True)
class Freshness:
    """Seconds from publishing to being counted by the view, and what the load was."""

    rate: float
    seconds: float
    history: int
    delays_s: Sequence[float]
    cores: dict[str, float]
    """CPU seconds a second, by process."""

    def percentile(self, share: float) -> float:
        """A percentile of the delays."""
        return float(np.percentile(self.delays_s, share))

    def line(self) -> str:
        """One line for people."""
        busy = ", ".join(f"{name} {cores:.2f}" for name, cores in self.cores.items())
        return (
            f"freshness at {self.rate:,.0f} events/s for {self.seconds:.0f} s on {self.history:,} events of history: "
            f"p50 {self.percentile(50):.2f} s, p99 {self.percentile(99):.2f} s, max {max(self.delays_s):.2f} s "
            f"({len(self.delays_s)} probes); cores busy: {busy}"
        )


def measure(rate: int, seconds: float, history: int, partitions: int) -> Freshness:
    """Let a worker digest some history, then publish live for `seconds` at `rate` and watch the probes."""
    with EmbeddedBroker() as broker:
        settings = settings_for(broker, "bench.", partitions)
        create_topics(settings)
        if history:
            fill(settings.kafka, read(history))
        with warehouse_for(settings) as (settings, server, warehouse), worker_for(settings) as worker:
            wait_for(lambda: stored(warehouse) >= history, 900.0, "history is missing")
            wait_until_settled(settings, 120.0)
            load = list(read(int(rate * seconds), history))
            pids = {"worker": worker.pid, "warehouse": server.pid, "broker": broker.pid}
            with Meter(pids) as meter:
                sent, seen, published = asyncio.run(_live(settings, warehouse, load, rate, meter))
            worker.check()
    delays = [answered - at for at, answered in zip(sent, seen, strict=True)]
    cores = {name: cost.cpu_s / meter.seconds for name, cost in meter.costs.items()}
    return Freshness(published, seconds, history, delays, cores)


def live(event: Encoded, stamp: bytes) -> bytes:
    """The event's value, happening now."""
    at = event.value.index(OCCURRED) + len(OCCURRED)
    return event.value[:at] + stamp + event.value[at + STAMP_LENGTH :]


def now_stamp() -> bytes:
    """The present time as events state it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z").encode()


async def _live(
    settings: Settings, warehouse: Warehouse, load: Sequence[Encoded], rate: int, meter: Meter
) -> tuple[list[float], list[float], float]:
    """Times at which each probe was published and seen, and the rate that was reached."""
    prefix = settings.kafka.topic_prefix
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka.bootstrap, acks=1, linger_ms=5)
    await producer.start()
    sent: list[float] = []
    seen: list[float] = []
    feeding = True

    async def feed() -> float:
        started, done = time.monotonic(), 0
        while done < len(load):
            due = min(len(load), int((time.monotonic() - started) * rate))
            stamp = now_stamp()
            for event in load[done:due]:
                await producer.send(prefix + event.suffix, live(event, stamp), event.key)
            done = due
            await asyncio.sleep(TICK_S)
        return done / (time.monotonic() - started)

    async def probe() -> None:
        topic = by_name["message"].topic(prefix)
        started = time.monotonic()
        while feeding:
            await asyncio.sleep(max(0.0, started + (len(sent) + 1) * PROBE_EVERY_S - time.monotonic()))
            value = (
                b'{"event_id":"probe-%d","type":"message","platform":"probe","community_id":"%s","member_id":"probe",'
                b'"occurred_at":"%s","text":"probe"}' % (len(sent), PROBE.encode(), now_stamp())
            )
            sent.append(time.monotonic())
            await producer.send(topic, value, f"{PROBE}/probe".encode())

    async def watch() -> None:
        last, query = time.monotonic(), f"{QUERY}toStartOfMinute(toDateTime({int(time.time())}, 'UTC'))"
        while feeding or len(seen) < len(sent):
            [(count,)] = await asyncio.to_thread(warehouse.rows, query)
            now = time.monotonic()
            if count > len(seen):
                seen.extend([now] * (count - len(seen)))
                last = now
            if now - last > LOST_AFTER_S:
                raise TimeoutError(f"{len(sent)} probes were published, {len(seen)} are counted and nothing moves")
            await asyncio.sleep(POLL_S)

    try:
        probing, watching = asyncio.create_task(probe()), asyncio.create_task(watch())
        published = await feed()
        meter.mark()
        feeding = False
        await asyncio.gather(probing, watching)
    finally:
        await producer.stop()
    return sent, seen, published
