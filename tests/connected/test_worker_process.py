"""A worker process as operators see it: what it makes of the records of a topic, and what its pages say."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

import pytest

from streams.clickhouse import Warehouse
from streams.config import to_environment
from streams.dead_letters import Filter, fetch, list_dead_letters
from streams.embedded.child import Child, free_port
from streams.embedded.stack import health
from streams.kafka import LARGEST_RECORD, read_to_end
from streams.kafka_topics import apply_topics
from streams.processors.settled import wait_until_settled
from streams.publisher import RawProducer
from streams.settings import Settings
from streams.topics import by_name
from streams.topics.internal import DEAD_LETTERS

pytestmark = pytest.mark.connected

WAIT_S = 60.0
LARGE = 10 << 20


@contextmanager
def working(settings: Settings) -> Iterator[Settings]:
    """A worker with its partitions; yields its settings, with the port of its pages."""
    worker = settings.worker.model_copy(update={"port": free_port()})
    # It joins its group after about half of the session; Apache Kafka takes none that is shorter than 6 s.
    kafka = settings.kafka.model_copy(
        update={"session_timeout_s": 6.0 if os.environ.get("STREAMS_TEST_KAFKA") else 2.0}
    )
    settings = settings.model_copy(update={"worker": worker, "kafka": kafka})
    argv = [sys.executable, "-m", "streams", "worker"]
    child = Child("worker", argv, settings.data_dir / "worker.log", to_environment(settings))
    try:
        eventually(lambda: health(worker.host, worker.port)[0], 200, child)
        yield settings
    finally:
        child.stop()


def eventually(ask: Callable[[], Any], expected: Any, child: Child | None = None, within_s: float = WAIT_S) -> None:
    """Ask until the answer is the expected one."""
    deadline = time.monotonic() + within_s
    while (answer := ask()) != expected and time.monotonic() < deadline:
        if child:
            child.check()
        time.sleep(0.05)
    assert expected == answer


def publish(settings: Settings, records: list[tuple[int, bytes]]) -> None:
    """Put values on partitions of the messages, in this order and as they are."""
    topic = by_name["message"].topic(settings.kafka.topic_prefix)
    with RawProducer(settings.kafka, max_record_bytes=LARGEST_RECORD, compression=None) as producer:
        for partition, value in records:
            producer.send(topic, value, b"tea/ann", partition=partition)


def message(number: int, **fields: Any) -> bytes:
    event = {
        "event_id": f"e{number}",
        "type": "message",
        "platform": "chat",
        "community_id": "tea",
        "member_id": "ann",
        "occurred_at": "2026-03-02T00:00:00Z",
        "text": "hello",
    }
    return json.dumps(event | fields).encode()


def test_records_of_10_mb_are_dead_letters_unchanged_and_harm_no_neighbour(
    settings: Settings, warehouse: Warehouse
) -> None:
    apply_topics(settings.kafka, LARGEST_RECORD)  # a topic that lets through what no worker takes
    values = [message(0), message(9, text="x" * LARGE), message(1), Random(1).randbytes(LARGE), message(2)]
    publish(settings, [(0, value) for value in values])

    with working(settings) as running:
        wait_until_settled(running, timeout_s=WAIT_S)

    assert [("e0",), ("e1",), ("e2",)] == warehouse.rows("SELECT event_id FROM {db}.events ORDER BY event_id")
    expected = {
        offset: (b"tea/ann", digest(values[offset]), f"too_large: {len(values[offset])} bytes, of 1048576 at most")
        for offset in (1, 3)
    }
    ids = [listed.record_id for listed in list_dead_letters(warehouse, Filter())]
    assert expected == {
        letter.offset: (letter.key, digest(letter.value), f"{letter.reason}: {letter.detail}")
        for _, letter in fetch(warehouse, ids)
    }
    on_topic = {}
    for record in read_to_end(settings.kafka, [DEAD_LETTERS.topic(settings.kafka.topic_prefix)]):
        said = {name.removeprefix("__connect.errors."): content.decode() for name, content in record.headers}
        on_topic[int(said["offset"])] = (record.key, digest(record.value), said["exception.message"])
    assert expected == on_topic


def digest(value: bytes | None) -> str:
    """What can be told in the report of a failure."""
    return hashlib.sha256(value or b"").hexdigest()
