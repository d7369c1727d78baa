"""A bare consumer: fetch, decode, Arrow, insert. No Faust, no clock checks, no look-up of duplicates, no aggregates.

It shares the pipeline's decoder and its columns, and fetches and decodes one block while the one before it is written,
so that what it lacks is only what makes the numbers right. Ends by itself when it has stored as many as it was told.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import numpy as np
import pyarrow as pa
from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.clickhouse import Warehouse
from streams.processors.facts import Stamps, content_hashes, fact_table, to_ms, united
from streams.settings import Settings
from streams.topics import ALL
from streams.topics.decode import Decoder

READY = "ready"


async def consume(settings: Settings, events: int) -> None:
    """Store `events` records of every family's topic."""
    families = {family.topic(settings.kafka.topic_prefix): family for family in ALL}
    decoders = {topic: Decoder(family) for topic, family in families.items()}
    warehouse = Warehouse(settings.warehouse)
    table = warehouse.render("{store}.events")

    def decode(topic: str, partition: int, records: list[Any]) -> pa.Table:
        decoded: list[Any]
        decoded, rejected = decoders[topic].decode_batch([record.value for record in records])
        assert not rejected
        received = np.fromiter((record.timestamp for record in records), np.int64, len(records))
        stamps = Stamps(
            topic,
            np.full(len(records), partition, np.uint32),
            np.fromiter((record.offset for record in records), np.int64, len(records)),
            to_ms([event.occurred_at for event in decoded]),
            received,
            np.zeros(len(records), np.bool_),
            content_hashes([record.value for record in records]),
        )
        return fact_table(families[topic], decoded, stamps)

    def block(fetched: dict[TopicPartition, list[Any]]) -> pa.Table:
        return united([decode(tp.topic, tp.partition, records) for tp, records in fetched.items()])

    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka.bootstrap,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        max_partition_fetch_bytes=settings.ingest.fetch_bytes,
        check_crcs=False,
    )
    await consumer.start()
    try:
        await consumer._client.set_topics(list(families))
        consumer.assign(
            [TopicPartition(topic, n) for topic in families for n in sorted(consumer.partitions_for_topic(topic) or ())]
        )
        print(READY, flush=True)
        waiting: asyncio.Queue[pa.Table] = asyncio.Queue(maxsize=1)

        async def fetch() -> None:
            left = events
            while left:
                fetched: dict[TopicPartition, list[Any]] = {}
                rows = 0
                while rows < min(settings.ingest.max_rows, left):
                    room = settings.ingest.max_rows - rows
                    for partition, records in (await consumer.getmany(timeout_ms=100, max_records=room)).items():
                        fetched.setdefault(partition, []).extend(records)
                        rows += len(records)
                left -= rows
                await waiting.put(await asyncio.to_thread(block, fetched))

        async def write() -> None:
            left = events
            while left:
                facts = await waiting.get()
                await asyncio.to_thread(warehouse.insert, table, facts)
                left -= facts.num_rows

        await asyncio.gather(fetch(), write())
        await asyncio.Event().wait()  # measured until its end from outside
    finally:
        await consumer.stop()
        warehouse.close()


if __name__ == "__main__":
    asyncio.run(consume(Settings(), int(sys.argv[1])))
