"""A real single-node Apache Kafka (KRaft) for the connected tests: fetched with Maven, started on free loopback ports.

`python -m tests.apache_kafka run -- pytest -m connected` runs a command with `STREAMS_TEST_KAFKA=host:port` set, and
what `ApacheKafka.environment` says of its other listeners; `python -m tests.apache_kafka fetch` only brings the jars.
Needs Java 17 or later, and Maven for the first fetch.
"""

from __future__ import annotations

import argparse
import base64
import ctypes
import os
import shutil
import signal
import socket
import string
import subprocess
import sys
import tempfile
import time
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import IO

import trustme
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

ROOT = Path(__file__).parents[1]
CONFIG = ROOT / "deploy" / "kafka"
JARS = ROOT / ".kafka" / "lib"
FETCHED = JARS / ".fetched"
SASL_USER = "tester"
SASL_PASSWORD = "only-for-tests"


class KafkaNotAvailable(Exception):
    """Apache Kafka could not be fetched or started: says why and what to do."""


def fetch() -> Path:
    """Bring the jars that `deploy/kafka/pom.xml` names, unless that was done before. Returns their folder."""
    pom = CONFIG / "pom.xml"
    if FETCHED.exists() and FETCHED.read_bytes() == pom.read_bytes():
        return JARS
    maven = shutil.which("mvn")
    if maven is None:
        raise KafkaNotAvailable("mvn is not on the path: install Maven, or point STREAMS_TEST_KAFKA at a running Kafka")
    shutil.rmtree(JARS, ignore_errors=True)
    command = [maven, "-q", "-B", "-f", str(pom), "dependency:copy-dependencies", f"-DoutputDirectory={JARS}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    if done.returncode != 0:
        raise KafkaNotAvailable(f"Maven could not fetch Apache Kafka:\n{(done.stdout + done.stderr)[-2000:]}")
    shutil.copyfile(pom, FETCHED)
    return JARS


def _free_ports(count: int) -> list[int]:
    """Ports nobody listens on now; all are held open together, so that no two are the same."""
    held = [socket.socket() for _ in range(count)]
    try:
        for each in held:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in held]
    finally:
        for each in held:
            each.close()


def _certify(directory: Path) -> None:
    """Write `ca.pem`, and `broker.pem`: a certificate of one day for 127.0.0.1 alone, which `localhost` is not."""
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1", not_after=datetime.now(UTC) + timedelta(days=1))
    authority.cert_pem.write_to_path(directory / "ca.pem")
    key = load_pem_private_key(issued.private_key_pem.bytes(), None)
    # Kafka reads no other form of key.
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (directory / "broker.pem").write_bytes(pem + b"".join(each.bytes() for each in issued.cert_chain_pems))


def _die_with_parent() -> None:
    """A killed test run must not leave a broker behind (Linux; elsewhere `stop` has to do)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class ApacheKafka:
    """One broker in a temporary directory; use it as a context manager.

    `bootstrap` is its plaintext address; `environment` tells a command of all listeners.
    """

    def __init__(self, ready_s: float = 60.0) -> None:
        self._ready_s = ready_s
        self._process: subprocess.Popen[bytes] | None = None
        self._dir: Path | None = None
        self._ports: dict[str, int] = {}

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self._ports['port']}"

    @property
    def environment(self) -> dict[str, str]:
        """Addresses of the listeners (those of SASL want SCRAM-SHA-512 as `SASL_USER`), and the authority of TLS."""
        assert self._dir is not None
        return {
            "STREAMS_TEST_KAFKA": self.bootstrap,
            "STREAMS_TEST_KAFKA_SASL": f"127.0.0.1:{self._ports['sasl_port']}",
            "STREAMS_TEST_KAFKA_SASL_SSL": f"127.0.0.1:{self._ports['sasl_ssl_port']}",
            "STREAMS_TEST_KAFKA_SSL": f"127.0.0.1:{self._ports['ssl_port']}",
            "STREAMS_TEST_KAFKA_CAFILE": str(self._dir / "ca.pem"),
        }

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def __enter__(self) -> ApacheKafka:
        java = shutil.which("java")
        if java is None:
            raise KafkaNotAvailable("java is not on the path: install a Java 17 runtime")
        jars = fetch()
        self._dir = Path(tempfile.mkdtemp(prefix="streams-kafka-"))
        try:
            self._start([java, "-cp", f"{jars}/*", f"-Dlog4j2.configurationFile={CONFIG / 'log4j2.properties'}"])
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()

    def _start(self, java: list[str]) -> None:
        assert self._dir is not None
        names = ("port", "sasl_port", "sasl_ssl_port", "ssl_port", "controller_port")
        self._ports = dict(zip(names, _free_ports(len(names)), strict=True))
        _certify(self._dir)
        template = string.Template((CONFIG / "test-broker.properties").read_text())
        properties = self._dir / "server.properties"
        properties.write_text(template.substitute(self._ports, dir=self._dir))
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "A")
        log = self._dir / "kafka.log"
        with log.open("ab") as out:
            self._format(java, cluster, properties, out)
            self._process = subprocess.Popen(
                [*java, "-Xmx512m", "-Xms128m", "-XX:+UseSerialGC", "kafka.Kafka", str(properties)],
                stdout=out,
                stderr=out,
                preexec_fn=_die_with_parent,
            )
        self._wait_ready(log)

    def _format(self, java: list[str], cluster: str, properties: Path, out: IO[bytes]) -> None:
        scram = f"SCRAM-SHA-512=[name={SASL_USER},password={SASL_PASSWORD}]"
        arguments = ["format", "--standalone", "-t", cluster, "-c", str(properties), "--add-scram", scram]
        done = subprocess.run(
            [*java, "-Xmx128m", "kafka.tools.StorageTool", *arguments], stdout=out, stderr=out, timeout=60, check=False
        )
        if done.returncode != 0:
            raise KafkaNotAvailable(f"the storage of the broker could not be formatted:\n{self._tail()}")

    def _wait_ready(self, log: Path) -> None:
        """Ready is when an admin client gets an answer, not when the port is open."""
        from kafka import KafkaAdminClient
        from kafka.errors import KafkaError

        assert self._process is not None
        end = time.monotonic() + self._ready_s
        while time.monotonic() < end:
            if self._process.poll() is not None:
                raise KafkaNotAvailable(f"the broker ended with code {self._process.returncode}:\n{self._tail()}")
            try:
                admin = KafkaAdminClient(bootstrap_servers=self.bootstrap, bootstrap_timeout_ms=2000)
            except KafkaError:
                continue
            try:
                if admin.describe_cluster()["brokers"]:
                    return
            except KafkaError:
                pass
            finally:
                admin.close()
            time.sleep(0.2)
        raise KafkaNotAvailable(f"the broker was not ready after {self._ready_s:.0f} s:\n{self._tail()}")

    def _tail(self) -> str:
        assert self._dir is not None
        return (self._dir / "kafka.log").read_text(errors="replace")[-3000:]

    def stop(self) -> None:
        """End the broker and remove its directory; safe to call twice."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._dir is not None:
            shutil.rmtree(self._dir, ignore_errors=True)


def _run(command: list[str]) -> int:
    """Run the command beside a broker; returns its exit code. Ctrl-C and SIGTERM end both."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with ApacheKafka() as kafka:
        print(f"Apache Kafka (pid {kafka.pid}) at {kafka.bootstrap}", file=sys.stderr)
        child = subprocess.Popen(command, env=os.environ | kafka.environment)
        try:
            return child.wait()
        except BaseException:
            child.terminate()
            child.wait()
            raise


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.apache_kafka", description=__doc__)
    parser.add_argument("action", choices=["fetch", "run"])
    parser.add_argument("command", nargs=argparse.REMAINDER, help="after --: the command to run beside the broker")
    given = parser.parse_args(arguments)
    try:
        if given.action == "fetch":
            print(fetch())
            return 0
        command = [*given.command]
        if command and command[0] == "--":
            del command[0]
        if not command:
            parser.error("run needs a command: python -m tests.apache_kafka run -- pytest -m connected")
        return _run(command)
    except KafkaNotAvailable as error:
        print(f"Apache Kafka is not available: {error}", file=sys.stderr)
        return 3


if __name__ == "__main__":
    sys.exit(main())
