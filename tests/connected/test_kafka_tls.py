"""A broker behind TLS, with a password and without: topics, events and a worker, and what is said when TLS fails."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from conftest import outside
from pydantic import SecretStr

from streams import doctor
from streams.clickhouse import Warehouse
from streams.config import to_environment
from streams.embedded.child import Child
from streams.kafka import read_to_end
from streams.kafka_connection import BrokerNotTrusted, BrokerUnavailable
from streams.kafka_topics import apply_topics
from streams.processors.settled import wait_until_settled
from streams.publisher import Publisher
from streams.settings import KafkaSettings, Settings, WorkerSettings
from tests.apache_kafka import SASL_PASSWORD, SASL_USER

pytestmark = [pytest.mark.connected, pytest.mark.apache_kafka]


@pytest.fixture(params=["SASL_SSL", "SSL"])
def kafka(names: str, request: pytest.FixtureRequest) -> KafkaSettings:
    return KafkaSettings(
        bootstrap=outside(f"STREAMS_TEST_KAFKA_{request.param}"),
        topic_prefix=f"{names}.",
        security_protocol=request.param,
        sasl_username=SASL_USER,
        sasl_password=SecretStr(SASL_PASSWORD),
        ssl_cafile=Path(outside("STREAMS_TEST_KAFKA_CAFILE")),
        idempotence=True,
        session_timeout_s=6,
    )


def publish(kafka: KafkaSettings, count: int) -> None:
    """Reactions of ten members, now."""
    now = datetime.now(UTC).isoformat()
    with Publisher(kafka) as publisher:
        for n in range(count):
            publisher.publish(
                {
                    "event_id": f"e{n}",
                    "type": "reaction",
                    "platform": "chat",
                    "community_id": "c1",
                    "member_id": f"m{n % 10}",
                    "occurred_at": now,
                    "target_id": "e0",
                    "reaction": "👍",
                }
            )


def test_topics_are_created_and_events_published_and_read_over_tls(kafka: KafkaSettings) -> None:
    apply_topics(kafka)
    publish(kafka, 1)

    [record] = read_to_end(kafka, [f"{kafka.topic_prefix}reactions.v1"])
    assert b"c1/m0" == record.key


def test_a_worker_reads_over_tls(
    kafka: KafkaSettings, settings: Settings, warehouse: Warehouse, tmp_path: Path
) -> None:
    apply_topics(kafka)
    publish(kafka, 500)
    over_tls = settings.model_copy(update={"kafka": kafka, "worker": WorkerSettings(port=0)})
    command = [sys.executable, "-m", "streams", "worker"]
    worker = Child("worker", command, tmp_path / "worker.log", to_environment(over_tls))
    try:
        wait_until_settled(over_tls, 30)
    except TimeoutError as error:
        raise AssertionError(worker.log_tail()) from error
    finally:
        worker.stop()

    counted = warehouse.rows("SELECT community_id, sum(events) FROM {db}.activity_day GROUP BY community_id")
    assert [("c1", 500)] == counted
    assert [(10,)] == warehouse.rows("SELECT uniqExact(member_id) FROM {db}.events")


def without_authority(kafka: KafkaSettings) -> KafkaSettings:
    return kafka.model_copy(update={"ssl_cafile": None})


def test_a_certificate_that_no_authority_of_the_system_vouches_for_is_refused(kafka: KafkaSettings) -> None:
    with pytest.raises(BrokerNotTrusted) as refused:
        apply_topics(without_authority(kafka))

    assert "certificate verify failed" in refused.value.why
    assert "set kafka.ssl_cafile" in refused.value.next


def test_a_certificate_for_another_name_is_refused(kafka: KafkaSettings) -> None:
    with pytest.raises(BrokerNotTrusted) as refused:
        apply_topics(kafka.model_copy(update={"bootstrap": kafka.bootstrap.replace("127.0.0.1", "localhost")}))

    assert "certificate is not valid for 'localhost'" in refused.value.why
    assert "names that are in the certificate" in refused.value.next


@pytest.mark.parametrize("kafka", ["SASL_SSL"], indirect=True)
def test_the_doctor_and_a_worker_name_the_authority_that_is_missing(kafka: KafkaSettings, settings: Settings) -> None:
    changed = settings.model_copy(update={"kafka": without_authority(kafka), "worker": WorkerSettings(port=0)})

    [check] = doctor.broker(changed)
    worker = subprocess.run(
        [sys.executable, "-m", "streams", "worker"],
        env=os.environ | to_environment(changed),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert "set kafka.ssl_cafile" in check.next
    assert (3, True) == (worker.returncode, "  next: set kafka.ssl_cafile" in worker.stderr), worker.stderr


@pytest.mark.parametrize("kafka", ["SASL_SSL"], indirect=True)
def test_tls_at_a_port_without_it_is_told_to_look_at_the_protocol(kafka: KafkaSettings) -> None:
    with pytest.raises(BrokerUnavailable) as away:
        apply_topics(kafka.model_copy(update={"bootstrap": outside("STREAMS_TEST_KAFKA")}))

    assert "[SSL: " in away.value.why
    assert f"does not speak {kafka.security_protocol}, set kafka.security_protocol" in away.value.next


@pytest.mark.parametrize("kafka", ["SASL_SSL"], indirect=True)
def test_plain_text_at_a_port_of_tls_is_told_to_look_at_the_protocol(kafka: KafkaSettings) -> None:
    with pytest.raises(BrokerUnavailable) as away:
        apply_topics(kafka.model_copy(update={"security_protocol": "PLAINTEXT"}))

    assert "does not speak PLAINTEXT, set kafka.security_protocol" in away.value.next
