"""Topics as the contract and the settings want them: created, compared, and never made smaller."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import UnsupportedVersionError

from streams.kafka import LARGEST_RECORD, admin
from streams.kafka_connection import BrokerError
from streams.topics import ALL, INTERNAL, Family, Internal
from streams.topics.internal import DEAD_LETTERS

if TYPE_CHECKING:
    from streams.settings import KafkaSettings

# Room for key, headers and the framing of a batch beside the largest event.
FRAMING = 64 << 10
EXISTS = 36


@dataclass(frozen=True)
class WantedTopic:
    """A topic as the contract and the settings want it; `configs` are Kafka's own names and values."""

    name: str
    partitions: int
    replicas: int
    configs: Mapping[str, str]


@dataclass(frozen=True)
class TopicChange:
    """What `apply_topics` did with one topic, or found about it; `next` is the step left to a person, if any."""

    topic: str
    action: Literal["created", "raised", "configured", "differs", "unchanged"]
    detail: str = ""
    next: str = ""


def wanted_topics(kafka: KafkaSettings, max_record_bytes: int = 1 << 20) -> tuple[WantedTopic, ...]:
    """The family topics and our own, in the order of the contract; `max_record_bytes` is `ingest.max_record_bytes`."""
    topics: tuple[Family | Internal, ...] = (*ALL, *INTERNAL)
    return tuple(
        WantedTopic(
            each.topic(kafka.topic_prefix),
            each.partitions or kafka.partitions,
            kafka.replication_factor,
            {
                "cleanup.policy": "delete",
                "retention.ms": str(int(each.retention.total_seconds() * 1000)),
                "max.message.bytes": str(LARGEST_RECORD if each is DEAD_LETTERS else max_record_bytes + FRAMING),
            },
        )
        for each in topics
    )


def apply_topics(
    kafka: KafkaSettings, max_record_bytes: int = 1 << 20, *, configure: bool = False, dry_run: bool = False
) -> list[TopicChange]:
    """Create the topics that are missing, raise partitions that are too few, report every other difference. Idempotent.

    `configure` also sets differing retention, clean-up and size limits, which may delete records; `dry_run` only says
    what would be done. Raises `BrokerError`.
    """
    wanted = wanted_topics(kafka, max_record_bytes)
    with admin(kafka) as client:
        there = set(client.list_topics())
        missing = [topic for topic in wanted if topic.name not in there]
        described = {
            each["name"]: each for each in client.describe_topics([*there.intersection(t.name for t in wanted)])
        }
        if missing and not dry_run:
            _create(client, missing)
        changes: list[TopicChange] = []
        for topic in wanted:
            if topic in missing:
                size = f"{topic.partitions} partitions, {topic.replicas} copies"
                changes.append(TopicChange(topic.name, "created", size))
                continue
            found = [
                *_compare_partitions(client, topic, described[topic.name]["partitions"], dry_run),
                *_compare_configs(client, topic, configure, dry_run),
            ]
            changes += found or [TopicChange(topic.name, "unchanged")]
    return changes


def _create(client: KafkaAdminClient, topics: Sequence[WantedTopic]) -> None:
    """Create topics; one that another process has created meanwhile is as good."""
    asked = {
        topic.name: {
            "num_partitions": topic.partitions,
            "replication_factor": topic.replicas,
            "configs": dict(topic.configs),
        }
        for topic in topics
    }
    answer = client.create_topics(asked, timeout_ms=10_000, raise_errors=False)
    for each in answer["topics"]:
        if each["error_code"] not in (0, EXISTS):
            raise BrokerError(
                f"topic {each['name']} cannot be created",
                each["error_message"] or f"error {each['error_code']}",
                "check kafka.partitions, kafka.replication_factor and the ACLs, then: streams topics apply",
            )
    client.wait_for_topics(list(asked))


def _compare_partitions(
    client: KafkaAdminClient, topic: WantedTopic, partitions: Sequence[Mapping[str, Any]], dry_run: bool
) -> Iterator[TopicChange]:
    have = len(partitions)
    wants = f"has {have} partitions, settings say {topic.partitions}"
    if have > topic.partitions:
        yield TopicChange(topic.name, "differs", f"{wants}: kept, as Kafka cannot remove any")
    elif have < topic.partitions:
        detail = f"{have} -> {topic.partitions} partitions; members may move to another one, their older events do not"
        try:
            if not dry_run:
                client.create_partitions({topic.name: topic.partitions}, timeout_ms=10_000)
            yield TopicChange(topic.name, "raised", detail)
        except UnsupportedVersionError:
            step = f"empty it, then delete and create it again, or set kafka.partitions to {have}"
            yield TopicChange(topic.name, "differs", f"{wants}; this broker cannot add any", step)
    replicas = min((len(each["replica_nodes"]) for each in partitions), default=0)
    if replicas < topic.replicas:
        yield TopicChange(
            topic.name,
            "differs",
            f"has {replicas} copies, settings say {topic.replicas}",
            f"kafka-reassign-partitions.sh with {topic.replicas} replicas for each partition",
        )


def _compare_configs(
    client: KafkaAdminClient, topic: WantedTopic, configure: bool, dry_run: bool
) -> Iterator[TopicChange]:
    """Differences in what the broker reports; the embedded one reports nothing, and applies nothing."""
    resource = ConfigResource(ConfigResourceType.TOPIC, topic.name)
    reported = client.describe_configs([resource], config_filter="all").get("topic", {}).get(topic.name, {})
    different = {
        name: (reported[name]["value"], value)
        for name, value in topic.configs.items()
        if name in reported and reported[name]["value"] != value
    }
    if not different:
        return
    detail = ", ".join(f"{name} is {old}, wanted {new}" for name, (old, new) in different.items())
    if not configure:
        yield TopicChange(
            topic.name, "differs", detail, "streams topics apply --configure (a shorter retention deletes records)"
        )
        return
    if not dry_run:
        values = {name: new for name, (_, new) in different.items()}
        client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic.name, values)])
    yield TopicChange(topic.name, "configured", detail)
