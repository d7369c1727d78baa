"""Fills topics before a measurement: whole record batches, so that filling takes little of the time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.partitioner import murmur2

from benchmarks.events import Encoded
from streams.settings import KafkaSettings

BATCH_BYTES = 100_000
"""Between the 16 KB that Kafka's producers start with and the 1 MB that busy ones are tuned to."""


def fill(kafka: KafkaSettings, events: Iterable[Encoded]) -> int:
    """Publish events in order, keyed as publishers key them; returns how many bytes their values have."""
    return asyncio.run(_fill(kafka, events))


async def _fill(kafka: KafkaSettings, events: Iterable[Encoded]) -> int:
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, acks=1, max_batch_size=BATCH_BYTES)
    await producer.start()
    batches: dict[tuple[str, int], Any] = {}
    counts: dict[str, int] = {}
    hashes: dict[bytes, int] = {}
    sent: set[asyncio.Future[Any]] = set()
    size = 0

    async def send(topic: str, partition: int) -> None:
        done = await producer.send_batch(batches.pop((topic, partition)), topic, partition=partition)
        sent.add(done)
        if len(sent) > 64:
            finished, _ = await asyncio.wait(sent, return_when=asyncio.FIRST_COMPLETED)
            for each in finished:
                each.result()
            sent.difference_update(finished)

    try:
        now = time.time_ns() // 1_000_000
        for suffix, key, value in events:
            topic = kafka.topic_prefix + suffix
            if topic not in counts:
                counts[topic] = len(await producer.partitions_for(topic))
            hashed = hashes.get(key)
            if hashed is None:
                hashed = hashes[key] = murmur2(key) & 0x7FFFFFFF
            size += len(value)
            place = (topic, hashed % counts[topic])
            batch = batches.get(place)
            if batch is None:
                batch = batches[place] = producer.create_batch()
            if batch.append(key=key, value=value, timestamp=now) is None:
                await send(*place)
                now = time.time_ns() // 1_000_000
                batch = batches[place] = producer.create_batch()
                batch.append(key=key, value=value, timestamp=now)
        for place in list(batches):
            await send(*place)
        for each in await asyncio.gather(*sent):
            assert each is not None
    finally:
        await producer.stop()
    return size
