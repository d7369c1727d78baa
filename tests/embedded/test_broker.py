"""The embedded broker answers Kafka requests at the address it advertises."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from streams.embedded.broker import BrokerUnanswered, EmbeddedBroker, advertised
from streams.embedded.child import ChildFailed, free_port

pytestmark = pytest.mark.connected


def test_it_advertises_the_address_it_listens_on_and_is_gone_afterwards(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "broker.log"
    with EmbeddedBroker(log=log) as broker:
        host, port = broker.bootstrap.split(":")
        assert [("127.0.0.1", int(port))] == advertised(host, int(port))
        assert log.exists()
        broker.check()
    with pytest.raises(OSError):
        advertised(host, int(port))


def test_it_listens_on_the_port_it_is_given() -> None:
    port = free_port()
    with EmbeddedBroker(port=port) as broker:
        assert f"127.0.0.1:{port}" == broker.bootstrap


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ChildFailed, match=f"port {port} is in use"):
            EmbeddedBroker(port=port, log=tmp_path / "log").start()


def test_what_is_no_broker_is_not_taken_for_one() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        def answer() -> None:
            connection, _ = other.accept()
            connection.recv(1000)
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            connection.close()

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(BrokerUnanswered, match=f"127.0.0.1:{port}"):
            advertised("127.0.0.1", port)
        thread.join()
