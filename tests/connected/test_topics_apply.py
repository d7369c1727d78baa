"""Topics on a real broker: created as the contract says, again without a change, and honest about differences."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from streams.commands.topics import app
from streams.kafka import admin, committed, end_offsets, is_embedded, lag, partitions_of, read_to_end
from streams.kafka_topics import TopicChange, apply_topics, wanted_topics
from streams.publisher import RawProducer
from streams.settings import KafkaSettings

pytestmark = pytest.mark.connected


@pytest.fixture
def kafka(broker, names: str) -> KafkaSettings:
    return KafkaSettings(bootstrap=broker.bootstrap, topic_prefix=f"{names}.", partitions=2)


def settings_as_environment(kafka: KafkaSettings) -> dict[str, str]:
    return {
        "STREAMS_KAFKA__BOOTSTRAP": kafka.bootstrap,
        "STREAMS_KAFKA__TOPIC_PREFIX": kafka.topic_prefix,
        "STREAMS_KAFKA__PARTITIONS": str(kafka.partitions),
    }


def test_every_topic_of_the_contract_is_created_with_its_partitions(kafka: KafkaSettings) -> None:
    changes = apply_topics(kafka)

    wanted = wanted_topics(kafka)
    assert [TopicChange(each.name, "created", f"{each.partitions} partitions, 1 copies") for each in wanted] == changes
    with admin(kafka) as client:
        assert {each.name: each.partitions for each in wanted} == partitions_of(client, [each.name for each in wanted])


def test_applying_again_changes_nothing(kafka: KafkaSettings) -> None:
    apply_topics(kafka)

    assert {"unchanged"} == {change.action for change in apply_topics(kafka)}


def test_a_dry_run_creates_nothing(kafka: KafkaSettings) -> None:
    changes = apply_topics(kafka, dry_run=True)

    assert {"created"} == {change.action for change in changes}
    with admin(kafka) as client:
        assert {} == partitions_of(client, [change.topic for change in changes])


def test_too_few_partitions_are_raised_or_the_next_step_is_named(kafka: KafkaSettings) -> None:
    apply_topics(kafka)
    topic = f"{kafka.topic_prefix}messages.v1"
    more = kafka.model_copy(update={"partitions": 5})

    [change] = [change for change in apply_topics(more) if change.topic == topic]

    with admin(kafka) as client:
        have, embedded = partitions_of(client, [topic])[topic], is_embedded(client)
    if not embedded:
        assert ("raised", 5) == (change.action, have)
    else:
        assert ("differs", 2, f"{topic} has 2 partitions, settings say 5; this broker cannot add any") == (
            change.action,
            have,
            f"{topic} {change.detail}",
        )
        assert "kafka.partitions to 2" in change.next


def test_too_many_partitions_are_kept_and_told_of(kafka: KafkaSettings) -> None:
    apply_topics(kafka)
    fewer = kafka.model_copy(update={"partitions": 1})

    [change] = [change for change in apply_topics(fewer) if change.topic == f"{kafka.topic_prefix}orders.v1"]

    assert ("differs", "has 2 partitions, settings say 1: kept, as Kafka cannot remove any") == (
        change.action,
        change.detail,
    )


@pytest.mark.apache_kafka
def test_a_differing_size_limit_is_reported_and_set_only_when_asked(kafka: KafkaSettings) -> None:
    with admin(kafka) as client:
        if is_embedded(client):
            pytest.skip("make test-kafka runs it: the embedded broker keeps no topic configuration")
    apply_topics(kafka)
    topic = f"{kafka.topic_prefix}messages.v1"
    detail = f"max.message.bytes is {(1 << 20) + 65536}, wanted {(2 << 20) + 65536}"

    [reported] = [change for change in apply_topics(kafka, 2 << 20) if change.topic == topic]
    [still_there] = [change for change in apply_topics(kafka, 2 << 20) if change.topic == topic]
    [changed] = [change for change in apply_topics(kafka, 2 << 20, configure=True) if change.topic == topic]
    [after] = [change for change in apply_topics(kafka, 2 << 20) if change.topic == topic]

    assert ("differs", detail) == (reported.action, reported.detail)
    assert reported == still_there
    assert ("configured", detail) == (changed.action, changed.detail)
    assert "unchanged" == after.action


def test_end_offsets_count_every_record_of_a_batch(kafka: KafkaSettings) -> None:
    """The embedded broker's own answer is wrong here: it names the second record of the last batch."""
    apply_topics(kafka)
    topic = f"{kafka.topic_prefix}messages.v1"
    assert {(topic, 0): 0, (topic, 1): 0} == end_offsets(kafka, [topic, f"{kafka.topic_prefix}nothing.v1"])
    with RawProducer(kafka) as producer:
        for n in range(50):
            producer.send(topic, b"%d" % n, b"key", partition=0)
        for n in range(3):
            producer.send(topic, b"%d" % n, b"key", partition=1)

    assert {(topic, 0): 50, (topic, 1): 3} == end_offsets(kafka, [topic])


def test_lag_is_what_a_group_has_not_committed(kafka: KafkaSettings) -> None:
    apply_topics(kafka)
    topic = f"{kafka.topic_prefix}messages.v1"
    group = f"{kafka.topic_prefix}group"
    with RawProducer(kafka) as producer:
        for n in range(10):
            producer.send(topic, b"%d" % n, b"key", partition=0)
    assert {} == committed(kafka, group)
    assert {(topic, 0): 10, (topic, 1): 0} == lag(kafka, group, [topic])

    from kafka import TopicPartition
    from kafka.structs import OffsetAndMetadata

    with admin(kafka) as client:
        client.alter_group_offsets(group, {TopicPartition(topic, 0): OffsetAndMetadata(4, "", -1)})

    assert {(topic, 0): 4} == committed(kafka, group)
    assert {(topic, 0): 6, (topic, 1): 0} == lag(kafka, group, [topic])


def test_reading_to_the_end_gives_every_record_with_its_key_value_and_headers(kafka: KafkaSettings) -> None:
    apply_topics(kafka)
    topic = f"{kafka.topic_prefix}messages.v1"
    with RawProducer(kafka) as producer:
        producer.send(topic, b"\xff\x00", None, [("h", b"\xfe"), ("h", b"2")], partition=1)
        producer.send(topic, None, b"k", partition=1)

    records = list(read_to_end(kafka, [topic]))

    assert [
        (topic, 1, 0, None, b"\xff\x00", (("h", b"\xfe"), ("h", b"2"))),
        (topic, 1, 1, b"k", None, ()),
    ] == [(r.topic, r.partition, r.offset, r.key, r.value, r.headers) for r in records]


def test_the_command_applies_and_lists(kafka: KafkaSettings) -> None:
    environment = settings_as_environment(kafka)
    runner = CliRunner()

    first = runner.invoke(app, ["apply", "--json"], env=environment)
    second = runner.invoke(app, ["apply"], env=environment)
    listed = runner.invoke(app, ["list", "--json", "--group", "nobody"], env=environment)

    assert (0, {"created"}) == (first.exit_code, {each["action"] for each in json.loads(first.stdout)})
    assert 0 == second.exit_code
    assert f"{kafka.topic_prefix}dead_letters.v1" in second.stdout
    assert "unchanged" in second.stdout
    rows = {row["topic"]: row for row in json.loads(listed.stdout)}
    topic = f"{kafka.topic_prefix}messages.v1"
    assert {"topic": topic, "exists": True, "partitions": 2, "written": 0, "lag": 0} == rows[topic]


def test_a_difference_that_remains_is_exit_code_1(kafka: KafkaSettings) -> None:
    apply_topics(kafka)
    environment = settings_as_environment(kafka) | {"STREAMS_KAFKA__PARTITIONS": "1"}

    result = CliRunner().invoke(app, ["apply"], env=environment)

    assert 1 == result.exit_code
    assert "kept, as Kafka cannot remove any" in result.stdout
