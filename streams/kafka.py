"""What is asked of a Kafka broker: topics, offsets, lag, and a log from its start to its end.

The hot path reads with Faust's own client; this is for publishing and administration.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import (
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    KafkaError,
    KafkaTimeoutError,
    NotCoordinatorError,
)

from streams.kafka_connection import CONNECT_TIMEOUT_S, BrokerUnavailable, client_config, connected, explained

if TYPE_CHECKING:
    from streams.settings import KafkaSettings

# A dead letter carries a whole record that was too large for its own topic.
LARGEST_RECORD = 32 << 20

_LATEST = -1
_CREATE_PARTITIONS = 37

ClientError = KafkaError
Partition = tuple[str, int]


class Record(NamedTuple):
    """One record as the log holds it; `timestamp_ms` is UTC."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


@contextmanager
def admin(kafka: KafkaSettings) -> Iterator[KafkaAdminClient]:
    """A connected administration client, closed afterwards. Raises a `BrokerError` after 5 s without an answer."""
    config = client_config(kafka)
    with explained(kafka):
        client = connected(KafkaAdminClient, {**config, "request_timeout_ms": 15_000})
        try:
            yield client
        finally:
            client.close()


def is_embedded(client: KafkaAdminClient) -> bool:
    """Whether the broker is the embedded one, told by a request that every Apache Kafka since 1.0 serves."""
    return _CREATE_PARTITIONS not in client.api_versions()


def producer(kafka: KafkaSettings, **overrides: Any) -> KafkaProducer:
    """A producer that waits for all in-sync replicas and keeps the order; idempotent when the settings say so."""
    config = client_config(kafka)
    if not kafka.idempotence:
        # A batch that is sent again after an error would otherwise come behind the ones that were sent after it.
        config["max_in_flight_requests_per_connection"] = 1
    with explained(kafka):
        return connected(
            KafkaProducer,
            {
                **config,
                "acks": "all",
                "enable_idempotence": kafka.idempotence,
                "allow_auto_create_topics": False,
                "metrics_enabled": False,
                **overrides,
            },
        )


def topic_names(kafka: KafkaSettings) -> set[str]:
    """Every topic the broker shows us."""
    with admin(kafka) as client:
        return set(client.list_topics())


def partitions_of(client: KafkaAdminClient, topics: Iterable[str]) -> dict[str, int]:
    """Number of partitions of those of `topics` that exist."""
    wanted = sorted(set(topics))
    if not wanted:
        return {}
    found = client.describe_topics(wanted)
    return {each["name"]: len(each["partitions"]) for each in found if each["error_code"] == 0 and each["partitions"]}


def end_offsets(kafka: KafkaSettings, topics: Iterable[str]) -> dict[Partition, int]:
    """Offset of the next record of every partition of those of `topics` that exist."""
    with admin(kafka) as client:
        return _end_offsets(kafka, client, topics)


def _end_offsets(kafka: KafkaSettings, client: KafkaAdminClient, topics: Iterable[str]) -> dict[Partition, int]:
    partitions = [
        TopicPartition(topic, n) for topic, count in partitions_of(client, topics).items() for n in range(count)
    ]
    if not partitions:
        return {}
    listed = client.list_partition_offsets(dict.fromkeys(partitions, _LATEST))
    ends = {partition: found.offset for partition, found in listed.items()}
    if is_embedded(client):
        # It lists the offset after the *first* record of the last batch; what a fetch says is right.
        ends |= _high_watermarks(kafka, {partition: offset for partition, offset in ends.items() if offset > 0})
    return {(partition.topic, partition.partition): offset for partition, offset in ends.items()}


def _high_watermarks(kafka: KafkaSettings, positions: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
    """High watermarks as fetches from `positions` report them."""
    if not positions:
        return {}
    consumer = _consumer(kafka, fetch_max_wait_ms=10)
    try:
        consumer.assign(list(positions))
        for partition, offset in positions.items():
            consumer.seek(partition, offset)
        seen: dict[TopicPartition, int] = {}
        for _ in range(100):
            consumer.poll(50)
            for partition in positions.keys() - seen.keys():
                mark = consumer.highwater(partition)
                if mark is not None:
                    seen[partition] = mark
            if len(seen) == len(positions):
                return seen
        raise BrokerUnavailable(
            f"the Kafka broker at {kafka.bootstrap} did not answer", "no fetch came back", "streams doctor"
        )
    finally:
        consumer.close()


def _consumer(kafka: KafkaSettings, **overrides: Any) -> KafkaConsumer:
    """A consumer outside any group."""
    return connected(
        KafkaConsumer,
        {
            **client_config(kafka),
            "enable_auto_commit": False,
            "auto_offset_reset": "earliest",
            "max_partition_fetch_bytes": LARGEST_RECORD + (1 << 20),
            "fetch_max_bytes": LARGEST_RECORD + (1 << 20),
            **overrides,
        },
    )


def committed(kafka: KafkaSettings, group: str) -> dict[Partition, int]:
    """Committed offsets of a consumer group, without the partitions it never committed; empty for an unknown group."""
    with admin(kafka) as client:
        return _committed(client, group)


def _committed(client: KafkaAdminClient, group: str) -> dict[Partition, int]:
    deadline = time.monotonic() + CONNECT_TIMEOUT_S
    while True:
        try:
            found = client.list_group_offsets(group).get(group, {})
            break
        except (CoordinatorNotAvailableError, CoordinatorLoadInProgressError, NotCoordinatorError):
            # A new cluster makes the topic of the offsets when a group is first asked for; a failover takes a moment.
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
    return {(each.topic, each.partition): at.offset for each, at in found.items() if at.offset >= 0}


def lag(kafka: KafkaSettings, group: str, topics: Iterable[str]) -> dict[Partition, int]:
    """Records of every partition of `topics` that the group has still to commit: all where it never committed."""
    with admin(kafka) as client:
        done = _committed(client, group)
        ends = _end_offsets(kafka, client, topics)
    return {partition: max(0, end - done.get(partition, 0)) for partition, end in ends.items()}


def read_to_end(kafka: KafkaSettings, topics: Sequence[str], idle_s: float = 10.0) -> Iterator[Record]:
    """Every record of `topics` up to their present ends, in offset order within a partition, outside any group.

    Raises `BrokerUnavailable` when nothing arrives for `idle_s`.
    """
    ends = {TopicPartition(*partition): end for partition, end in end_offsets(kafka, topics).items() if end > 0}
    if not ends:
        return
    with explained(kafka):
        consumer = _consumer(kafka)
        try:
            consumer.assign(list(ends))
            consumer.seek_to_beginning(*ends)
            while any(consumer.position(partition) < end for partition, end in ends.items()):
                batches = consumer.poll(int(idle_s * 1000))
                if not batches:
                    raise KafkaTimeoutError(f"nothing arrived for {idle_s:g} s before the end of the log")
                for partition, records in batches.items():
                    for each in records:
                        if each.offset < ends[partition]:
                            yield Record(
                                each.topic,
                                each.partition,
                                each.offset,
                                each.timestamp,
                                each.key,
                                each.value,
                                tuple(each.headers),
                            )
        finally:
            consumer.close()
