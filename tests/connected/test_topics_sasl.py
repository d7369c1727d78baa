"""A broker that asks who we are: SCRAM on loopback, and what is said when the password is wrong."""

from __future__ import annotations

import os

import pytest
from pydantic import SecretStr

from streams.kafka import BrokerRefused, read_to_end
from streams.kafka_topics import apply_topics
from streams.publisher import Publisher
from streams.settings import KafkaSettings
from tests.apache_kafka import SASL_PASSWORD, SASL_USER

pytestmark = [pytest.mark.connected, pytest.mark.apache_kafka]


@pytest.fixture
def kafka(names: str) -> KafkaSettings:
    address = os.environ.get("STREAMS_TEST_KAFKA_SASL")
    if not address:
        pytest.skip("make test-kafka runs it: the embedded broker asks nobody who they are")
    return KafkaSettings(
        bootstrap=address,
        topic_prefix=f"{names}.",
        security_protocol="SASL_PLAINTEXT",
        sasl_mechanism="SCRAM-SHA-512",
        sasl_username=SASL_USER,
        sasl_password=SecretStr(SASL_PASSWORD),
        idempotence=True,
    )


def test_who_gives_the_password_may_create_topics_publish_and_read(kafka: KafkaSettings) -> None:
    apply_topics(kafka)
    event = {
        "event_id": "e1",
        "type": "reaction",
        "platform": "chat",
        "community_id": "c1",
        "member_id": "m1",
        "occurred_at": "2026-01-31T08:30:00Z",
        "target_id": "e0",
        "reaction": "👍",
    }
    with Publisher(kafka) as publisher:
        publisher.publish(event)

    [record] = read_to_end(kafka, [f"{kafka.topic_prefix}reactions.v1"])
    assert b"c1/m1" == record.key


def test_a_wrong_password_is_said_and_not_shown(kafka: KafkaSettings) -> None:
    wrong = kafka.model_copy(update={"sasl_password": SecretStr("guessed-by-me")})

    with pytest.raises(BrokerRefused) as refused:
        apply_topics(wrong)

    assert "refused us" in refused.value.what
    assert "kafka.sasl_" in refused.value.next
    assert "guessed-by-me" not in f"{refused.value} {refused.value.__cause__!r}"
