"""A broker that asks who we are: SCRAM on loopback, and what is said when the password is wrong."""

from __future__ import annotations

import select
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from conftest import outside
from pydantic import SecretStr

from streams.kafka import read_to_end
from streams.kafka_connection import BrokerRefused
from streams.kafka_topics import apply_topics
from streams.publisher import Publisher
from streams.settings import KafkaSettings
from tests.apache_kafka import SASL_PASSWORD, SASL_USER

pytestmark = [pytest.mark.connected, pytest.mark.apache_kafka]


@pytest.fixture
def kafka(names: str) -> KafkaSettings:
    return KafkaSettings(
        bootstrap=outside("STREAMS_TEST_KAFKA_SASL"),
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


@contextmanager
def relay_that_ends_with_its_last_word(address: str) -> Iterator[str]:
    """Address of a relay: what the broker says just before it closes arrives in one packet with the close."""
    host, _, port = address.rpartition(":")
    stopped = threading.Event()
    threads: list[threading.Thread] = []

    def serve(client: socket.socket) -> None:
        with client, socket.create_connection((host, int(port))) as broker:
            while not stopped.is_set():
                readable, _, _ = select.select([client, broker], [], [], 0.1)
                if client in readable:
                    asked = client.recv(65536)
                    if not asked:
                        return
                    broker.sendall(asked)
                if broker in readable:
                    said = broker.recv(65536)
                    if not said:
                        return
                    # Where the broker goes on to close, the close follows at once.
                    closes = select.select([broker], [], [], 0.1)[0] and not broker.recv(1, socket.MSG_PEEK)
                    client.sendall(said, socket.MSG_MORE if closes else 0)

    def accept(listener: socket.socket) -> None:
        while not stopped.is_set():
            if select.select([listener], [], [], 0.1)[0]:
                threads.append(threading.Thread(target=serve, args=[listener.accept()[0]]))
                threads[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        acceptor = threading.Thread(target=accept, args=[listener])
        acceptor.start()
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            stopped.set()
            for each in (acceptor, *threads):
                each.join()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can be told to hold a packet back for its successor")
def test_a_refusal_is_heard_when_the_broker_closes_with_it(kafka: KafkaSettings) -> None:
    with relay_that_ends_with_its_last_word(kafka.bootstrap) as address:
        wrong = kafka.model_copy(update={"bootstrap": address, "sasl_password": SecretStr("guessed-by-me")})

        with pytest.raises(BrokerRefused) as refused:
            apply_topics(wrong)

    assert "invalid credentials" in refused.value.why
