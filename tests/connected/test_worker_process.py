"""A worker process as operators see it: what it makes of the records of a topic, and what its pages say."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from streams.clickhouse import Warehouse
from streams.config import to_environment
from streams.dead_letters import Filter, fetch, list_dead_letters
from streams.embedded.broker import EmbeddedBroker
from streams.embedded.child import Child, free_port
from streams.embedded.stack import health
from streams.kafka import LARGEST_RECORD, read_to_end
from streams.kafka_topics import apply_topics
from streams.processors.settled import wait_until_settled
from streams.publisher import RawProducer
from streams.settings import KafkaSettings, Settings, WorkerSettings
from streams.topics import by_name
from streams.topics.internal import DEAD_LETTERS

pytestmark = pytest.mark.connected

WAIT_S = 60.0
LARGE = 10 << 20
FEW = {"stored": 6, "duplicate": 1, "rejected": 1}


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
        child.kill()


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


def samples(settings: Settings, name: str, labels: dict[str, str], by: str = "") -> dict[str, float]:
    """A metric on the page of a worker: the series with these labels, added up by another label."""
    with urllib.request.urlopen(f"http://{settings.worker.host}:{settings.worker.port}/metrics", timeout=5) as page:
        families = list(text_string_to_metric_families(page.read().decode()))
    found: Counter[str] = Counter()
    for sample in (sample for family in families for sample in family.samples):
        if sample.name == name and labels.items() <= sample.labels.items():
            found[sample.labels[by] if by else ""] += sample.value
    return dict(found)


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


def test_metrics_tell_lag_and_watermark_of_each_partition_and_one_outcome_of_each_record(settings: Settings) -> None:
    ingest = settings.ingest.model_copy(update={"reject_window": 10})
    apply_topics(settings.kafka)
    topic = by_name["message"].topic(settings.kafka.topic_prefix)
    first = [(0, message(n, occurred_at=f"2026-03-02T00:0{n}:00Z")) for n in range(3)] + [
        (1, message(3, occurred_at="2026-03-02T00:09:00Z")),
        (0, b"{"),
    ]
    second = [
        (0, message(1, occurred_at="2026-03-02T00:01:00Z")),  # again, and late
        (1, message(4, occurred_at="2026-03-01T22:00:00Z")),  # late by hours
        (1, message(5, occurred_at="2026-03-02T00:12:00Z")),
        *[(2, b"{")] * 12,  # what stops its partition
    ]
    with working(settings.model_copy(update={"ingest": ingest})) as running:

        def value(name: str, by: str = "") -> Any:
            found = samples(running, name, {"topic": topic}, by)
            return found if by else sum(found.values())

        publish(settings, first)
        eventually(lambda: value("streams_records_total"), len(first))
        publish(settings, second)
        eventually(lambda: value("streams_partition_stopped", "partition"), {"2": 1})
        eventually(lambda: value("streams_records_total", "outcome") | {"rejected": 1}, FEW)
        eventually(lambda: value("streams_records_total") + value("kafka_consumergroup_lag"), len(first + second))

        outcomes, lag = value("streams_records_total", "outcome"), value("kafka_consumergroup_lag", "partition")
        # A first fetch may bring less than the window that stops a partition.
        waits = lag["2"]
        assert {"0": 0, "1": 0, "2": waits, "3": 0} == lag
        assert FEW | {"rejected": 1 + 12 - waits} == outcomes
        assert 3 <= waits == len(first + second) - value("streams_records_consumed_total")
        assert {"invalid_json": outcomes["rejected"]} == value("streams_rejects_total", "reason")
        latest = {"0": datetime(2026, 3, 2, 0, 2, tzinfo=UTC), "1": datetime(2026, 3, 2, 0, 12, tzinfo=UTC)}
        eventually(
            lambda: value("streams_watermark_timestamp_seconds", "partition"),
            {partition: at.timestamp() - ingest.max_disorder_s for partition, at in latest.items()},
        )
        assert {"1m": 1, "1d": 1} == samples(running, "streams_late_events_total", {}, "age")


@pytest.mark.thorough
def test_health_tells_of_a_broker_that_goes_away_while_there_is_nothing_to_read(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    with EmbeddedBroker() as own:
        settings = Settings(
            kafka=KafkaSettings(bootstrap=own.bootstrap),
            warehouse=warehouse.settings,
            worker=WorkerSettings(stalled_after_s=5.0),
            data_dir=tmp_path,
        )
        apply_topics(settings.kafka)
        with working(settings) as running:

            def told() -> tuple[int | None, bool]:
                status, said = health(running.worker.host, running.worker.port)
                return status, f"the broker at {own.bootstrap} has said nothing of" in said

            publish(running, [(0, message(0))])
            wait_until_settled(running, timeout_s=WAIT_S)
            time.sleep(5)  # with nothing to read since its start, but for one record
            assert (200, False) == told()
            os.kill(own.pid, signal.SIGSTOP)
            try:
                eventually(told, (503, True))
            finally:
                os.kill(own.pid, signal.SIGCONT)
            eventually(told, (200, False))
            os.kill(own.pid, signal.SIGKILL)
            eventually(told, (503, True))
