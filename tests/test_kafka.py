"""Client settings and topics as they are wanted, without a broker."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pydantic import SecretStr

from streams.kafka import topic_names
from streams.kafka_connection import BrokerMisconfigured, BrokerUnavailable, client_config
from streams.kafka_topics import wanted_topics
from streams.settings import KafkaSettings
from streams.topics import ALL, INTERNAL


def sasl(**changes: object) -> KafkaSettings:
    values = {
        "bootstrap": "kafka.example:9093",
        "security_protocol": "SASL_SSL",
        "sasl_username": "worker",
        "sasl_password": SecretStr("open sesame"),
    }
    return KafkaSettings.model_validate(values | changes)


def test_plain_settings_name_every_broker() -> None:
    config = client_config(KafkaSettings(bootstrap="one:9092, two:9092,"))

    assert ["one:9092", "two:9092"] == config["bootstrap_servers"]
    assert "PLAINTEXT" == config["security_protocol"]
    assert not [name for name in config if name.startswith("sasl")]


def test_sasl_over_tls_carries_user_and_password(tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    authority.write_text("")

    config = client_config(sasl(ssl_cafile=authority, sasl_mechanism="SCRAM-SHA-256"))

    assert {
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-256",
        "sasl_plain_username": "worker",
        "sasl_plain_password": "open sesame",
        "ssl_cafile": str(authority),
    } == {name: value for name, value in config.items() if name.startswith(("s",))}


def test_a_printed_configuration_does_not_show_the_password() -> None:
    config = client_config(sasl())

    assert "open sesame" not in f"{config} {config['sasl_plain_password']!r}"


@pytest.mark.parametrize("bootstrap", ["kafka.example:9092", "127.0.0.1:9092,10.0.0.7:9092", "localhost.example:9092"])
def test_a_password_in_clear_text_is_refused_outside_loopback(bootstrap: str) -> None:
    with pytest.raises(BrokerMisconfigured, match="SASL_PLAINTEXT is refused outside loopback") as refused:
        client_config(sasl(bootstrap=bootstrap, security_protocol="SASL_PLAINTEXT"))

    assert "SASL_SSL" in refused.value.next
    assert "open sesame" not in str(refused.value)


@pytest.mark.parametrize("bootstrap", ["127.0.0.1:9092", "localhost:9092", "[::1]:9092", "127.8.8.8:9092,localhost:1"])
def test_a_password_in_clear_text_may_stay_on_loopback(bootstrap: str) -> None:
    assert (
        "SASL_PLAINTEXT"
        == client_config(sasl(bootstrap=bootstrap, security_protocol="SASL_PLAINTEXT"))["security_protocol"]
    )


@pytest.mark.parametrize("missing", [{"sasl_username": ""}, {"sasl_password": SecretStr("")}])
def test_sasl_without_a_user_says_which_settings_to_set(missing: dict[str, object]) -> None:
    with pytest.raises(BrokerMisconfigured) as refused:
        client_config(sasl(**missing))

    assert "STREAMS_KAFKA__SASL_USERNAME" in refused.value.next


def test_a_missing_authority_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BrokerMisconfigured, match=r"nowhere\.pem is no file"):
        client_config(sasl(ssl_cafile=tmp_path / "nowhere.pem"))


def test_an_empty_bootstrap_is_refused() -> None:
    with pytest.raises(BrokerMisconfigured, match="bootstrap is empty"):
        client_config(KafkaSettings(bootstrap=" , "))


def test_nobody_listening_is_said_within_seconds() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{held.getsockname()[1]}"
        started = time.monotonic()

        with pytest.raises(BrokerUnavailable) as away:
            topic_names(KafkaSettings(bootstrap=address))

    assert time.monotonic() - started < 4
    assert f"the Kafka broker at {address} cannot be reached" == away.value.what
    assert "Connection refused" in away.value.why
    assert "streams up" in away.value.next


def test_an_address_without_a_port_is_our_mistake() -> None:
    with pytest.raises(BrokerMisconfigured, match="localhost has no port"):
        topic_names(KafkaSettings(bootstrap="localhost"))


SILENT = """
import threading, time
from streams.kafka import {kind}
from streams.kafka_connection import BrokerUnavailable
from streams.settings import KafkaSettings
kafka = KafkaSettings(bootstrap="127.0.0.1:{port}")
started = time.monotonic()
try:
    {call}
except BrokerUnavailable as error:
    print(error.what, threading.active_count(), time.monotonic() - started < 8)
"""


@pytest.mark.parametrize(("kind", "call"), [("topic_names", "topic_names(kafka)"), ("producer", "producer(kafka)")])
def test_a_port_that_is_no_kafka_is_said_within_seconds_and_leaves_no_thread(kind: str, call: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        # A process of its own: the library drops the socket of a failed connection without closing it.
        code = SILENT.format(kind=kind, call=call, port=port)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert f"the Kafka broker at 127.0.0.1:{port} cannot be reached 1 True" == done.stdout.strip()


def test_every_family_and_every_topic_of_our_own_is_wanted() -> None:
    wanted = wanted_topics(KafkaSettings(topic_prefix="p.", partitions=6, replication_factor=3))

    assert [each.topic("p.") for each in (*ALL, *INTERNAL)] == [topic.name for topic in wanted]
    assert {3} == {topic.replicas for topic in wanted}
    assert {each.partitions or 6 for each in ALL} == {topic.partitions for topic in wanted[: len(ALL)]}


def test_topics_are_wanted_with_the_retention_of_the_contract_and_room_for_their_records() -> None:
    wanted = {topic.name: topic.configs for topic in wanted_topics(KafkaSettings(), max_record_bytes=1000)}

    for each in ALL:
        assert {
            "cleanup.policy": "delete",
            "retention.ms": str(int(each.retention.total_seconds()) * 1000),
            "max.message.bytes": str(1000 + 65536),
        } == wanted[each.topic("community.")]
    assert str(32 << 20) == wanted["community.dead_letters.v1"]["max.message.bytes"]
