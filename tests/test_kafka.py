"""Client settings and topics as they are wanted, without a broker."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from pydantic import SecretStr

from streams.kafka import topic_names
from streams.kafka_connection import (
    LISTENER_TIMEOUT_S,
    BrokerMisconfigured,
    BrokerNotTrusted,
    BrokerUnavailable,
    _await_listener,
    client_config,
)
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


@pytest.fixture
def cafile(tmp_path: Path) -> Path:
    trustme.CA(organization_name="Ours").cert_pem.write_to_path(tmp_path / "ca.pem")
    return tmp_path / "ca.pem"


def test_sasl_over_tls_carries_user_and_password_and_trusts_the_authority_alone(cafile: Path) -> None:
    config = client_config(sasl(ssl_cafile=cafile, sasl_mechanism="SCRAM-SHA-256"))

    [trusted] = config.pop("ssl_context").get_ca_certs()
    assert (("organizationName", "Ours"),) in trusted["subject"]

    assert {
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-256",
        "sasl_plain_username": "worker",
        "sasl_plain_password": "open sesame",
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


@pytest.mark.parametrize(("name", "why"), [("nowhere.pem", "No such file"), ("empty.pem", "no certificate")])
def test_an_authority_file_without_a_certificate_is_named(tmp_path: Path, name: str, why: str) -> None:
    (tmp_path / "empty.pem").write_text("")

    with pytest.raises(BrokerMisconfigured, match=rf"{name} holds no certificate") as refused:
        client_config(sasl(ssl_cafile=tmp_path / name))

    assert why in refused.value.why


@contextlib.contextmanager
def listener(certificate: trustme.LeafCert) -> Iterator[int]:
    """Port of somebody who shakes hands with this certificate and hangs up."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)

    class Shake(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.settimeout(5)
            with contextlib.suppress(OSError):
                context.wrap_socket(self.request, server_side=True).close()

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Shake) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.05])
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("host", "expires_in_days", "authority", "next"),
    [
        ("127.0.0.1", 1, "another", "set kafka.ssl_cafile to the PEM file of the authority"),
        ("kafka.example", 1, "ours", "names that are in the certificate"),
        ("127.0.0.1", -1, "ours", "renew the certificate"),
    ],
)
def test_a_certificate_that_is_not_good_is_said_at_once_with_the_way_out(
    tmp_path: Path, host: str, expires_in_days: int, authority: str, next: str
) -> None:
    authorities = {"ours": trustme.CA(), "another": trustme.CA()}
    authorities["ours"].cert_pem.write_to_path(tmp_path / "ca.pem")
    expires = datetime.now(UTC) + timedelta(days=expires_in_days)
    with listener(authorities[authority].issue_cert(host, not_after=expires)) as port:
        started = time.monotonic()

        with pytest.raises(BrokerNotTrusted) as refused:
            topic_names(sasl(bootstrap=f"127.0.0.1:{port}", ssl_cafile=tmp_path / "ca.pem"))

    assert time.monotonic() - started < LISTENER_TIMEOUT_S
    assert f"the certificate of the Kafka broker at 127.0.0.1:{port} is not trusted" == refused.value.what
    assert "certificate verify failed" in refused.value.why
    assert next in refused.value.next


@pytest.mark.parametrize("order", [1, -1])
def test_a_bad_certificate_is_told_though_another_broker_is_away(order: int) -> None:
    with listener(trustme.CA().issue_cert("127.0.0.1")) as bad, socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        addresses = [f"127.0.0.1:{port}" for port in (bad, held.getsockname()[1])]
        with pytest.raises(BrokerNotTrusted):
            topic_names(sasl(bootstrap=",".join(addresses[::order])))


def test_one_broker_with_a_bad_certificate_is_no_matter_while_another_has_a_good_one(tmp_path: Path) -> None:
    ours = trustme.CA()
    ours.cert_pem.write_to_path(tmp_path / "ca.pem")
    with listener(ours.issue_cert("elsewhere.example")) as bad, listener(ours.issue_cert("127.0.0.1")) as good:
        kafka = sasl(bootstrap=f"127.0.0.1:{bad},127.0.0.1:{good}", ssl_cafile=tmp_path / "ca.pem")

        _await_listener(client_config(kafka))


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
