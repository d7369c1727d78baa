"""A client connected to the broker: how it is configured, and why one could not be had."""

from __future__ import annotations

import ipaddress
import logging
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.errors import (
    AuthorizationError,
    BrokerResponseError,
    IllegalSaslStateError,
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    RequestTimedOutError,
    SaslAuthenticationFailedError,
)
from kafka.net.compat import KafkaNetClient
from kafka.net.manager import KafkaConnectionManager
from kafka.net.selector import NetworkSelector

from streams import tls

if TYPE_CHECKING:
    from streams.settings import KafkaSettings

LISTENER_TIMEOUT_S = 2.0
CONNECT_TIMEOUT_S = 5.0

# What is said when the two sides do not speak the same protocol; some of it for other reasons too.
NOT_OUR_PROTOCOL = ("[SSL: ", "Handshake failed", "Invalid frame length", "socket disconnected", "IllegalSaslState")


class BrokerError(Exception):
    """Something about the broker stops us: `what` happened, `why`, and the `next` step; `code` is the exit code."""

    code = 3

    def __init__(self, what: str, why: str = "", next: str = "") -> None:
        super().__init__(f"{what}: {why}" if why else what)
        self.what, self.why, self.next = what, why, next


class BrokerUnavailable(BrokerError):
    """Nobody answers at the address; trying again later may help."""


class BrokerRefused(BrokerError):
    """The broker answered and will not let us in: credentials or ACLs."""


class BrokerNotTrusted(BrokerError):
    """The broker's certificate is signed by nobody we trust, is another host's, or has expired."""


class BrokerMisconfigured(BrokerError):
    """Our own settings cannot work or must not be used."""

    code = 2


class TopicMissing(BrokerError):
    """A topic has not been created."""

    code = 1

    def __init__(self, topic: str, bootstrap: str) -> None:
        super().__init__(f"topic {topic} does not exist", f"the broker at {bootstrap} has none", "streams topics apply")
        self.topic = topic


class _Hidden(str):
    """A secret that a client library cannot print with the rest of its configuration."""

    def __repr__(self) -> str:
        return "'**********'"


def _hosts(bootstrap: str) -> list[str]:
    """Host names of `host:port,[::1]:port`."""
    return [address.strip().rsplit(":", 1)[0].strip("[]") for address in bootstrap.split(",") if address.strip()]


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def client_config(kafka: KafkaSettings) -> dict[str, Any]:
    """What every client is started with. Raises `BrokerMisconfigured` before a password leaves in clear text."""
    config: dict[str, Any] = {
        "bootstrap_servers": [address.strip() for address in kafka.bootstrap.split(",") if address.strip()],
        "client_id": "community-streams",
        "security_protocol": kafka.security_protocol,
        "bootstrap_timeout_ms": int(CONNECT_TIMEOUT_S * 1000),
    }
    if not config["bootstrap_servers"]:
        raise BrokerMisconfigured("kafka.bootstrap is empty", "there is no broker to talk to", "set it to host:port")
    if kafka.security_protocol.endswith("SSL"):
        config["ssl_context"] = _tls(kafka)
    if kafka.security_protocol.startswith("SASL_"):
        if kafka.security_protocol == "SASL_PLAINTEXT":
            remote = [host for host in _hosts(kafka.bootstrap) if not _is_loopback(host)]
            if remote:
                raise BrokerMisconfigured(
                    "SASL_PLAINTEXT is refused outside loopback",
                    f"name and password would cross the network to {', '.join(remote)} unencrypted",
                    "set kafka.security_protocol to SASL_SSL",
                )
        password = kafka.sasl_password.get_secret_value()
        if not kafka.sasl_username or not password:
            raise BrokerMisconfigured(
                f"{kafka.security_protocol} needs a user",
                "kafka.sasl_username or kafka.sasl_password is empty",
                "set STREAMS_KAFKA__SASL_USERNAME and STREAMS_KAFKA__SASL_PASSWORD",
            )
        config["sasl_mechanism"] = kafka.sasl_mechanism
        config["sasl_plain_username"] = kafka.sasl_username
        config["sasl_plain_password"] = _Hidden(password)
    return config


def _tls(kafka: KafkaSettings) -> ssl.SSLContext:
    try:
        return tls.context(kafka.ssl_cafile)
    except OSError as error:
        raise BrokerMisconfigured(
            f"kafka.ssl_cafile {kafka.ssl_cafile} holds no certificate",
            f"the brokers' certificates cannot be checked without it: {error.strerror}",
            "name a PEM file, or leave it unset to trust the system's authorities",
        ) from error


def _not_trusted(kafka: KafkaSettings, why: str) -> BrokerNotTrusted:
    step = tls.next_step(why, "kafka.ssl_cafile", "kafka.bootstrap, and advertised.listeners of the broker,")
    return BrokerNotTrusted(f"the certificate of the Kafka broker at {kafka.bootstrap} is not trusted", why, step)


@contextmanager
def explained(kafka: KafkaSettings) -> Iterator[None]:
    """Turn the client library's errors into ours."""
    try:
        yield
    except (SaslAuthenticationFailedError, AuthorizationError) as error:
        raise BrokerRefused(
            f"the Kafka broker at {kafka.bootstrap} refused us",
            str(error),
            "check kafka.security_protocol, kafka.sasl_* and the ACLs: streams config show",
        ) from error
    except KafkaError as error:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            raise _not_trusted(kafka, str(error)) from error
        if isinstance(error, BrokerResponseError) and not isinstance(
            error, RequestTimedOutError | IllegalSaslStateError
        ):
            what = f"the Kafka broker at {kafka.bootstrap} answered with an error"
            raise BrokerError(what, str(error), "streams doctor") from error
        step = "start one with `streams up`, or point kafka.bootstrap elsewhere"
        if any(sign in str(error) for sign in NOT_OUR_PROTOCOL):
            step = f"if this port does not speak {kafka.security_protocol}, set kafka.security_protocol to what it does"
        raise BrokerUnavailable(f"the Kafka broker at {kafka.bootstrap} cannot be reached", str(error), step) from error


def _await_listener(config: dict[str, Any]) -> None:
    """Return when somebody we trust listens at one address; the library would try again whatever is wrong there.

    It would also log every attempt, and leave its sockets open.
    """
    deadline = time.monotonic() + LISTENER_TIMEOUT_S
    while True:
        not_trusted = reason = ""
        for address in config["bootstrap_servers"]:
            host, _, port = address.rpartition(":")
            if not port.isdecimal():
                raise BrokerMisconfigured(f"kafka.bootstrap {address} has no port", "", "set it to host:port")
            try:
                _greet(host.strip("[]"), int(port), config.get("ssl_context"))
                return
            except ssl.SSLCertVerificationError as error:
                not_trusted = f"{address}: {error.strerror}"
            except OSError as error:
                reason = f"{address}: {error.strerror or error}"
        if not_trusted or time.monotonic() > deadline:
            raise KafkaConnectionError(not_trusted or reason)
        time.sleep(0.2)


def _greet(host: str, port: int, context: ssl.SSLContext | None) -> None:
    """Connect, and where TLS is spoken shake hands. Raises OSError."""
    with socket.create_connection((host, port), timeout=LISTENER_TIMEOUT_S) as plain:
        if context is not None:
            context.wrap_socket(plain, server_hostname=host).close()


_Client = TypeVar("_Client", KafkaAdminClient, KafkaProducer, KafkaConsumer)


class _Connections(KafkaConnectionManager):  # type: ignore[misc]
    """Connections that hear a broker out: the library's drop what it said when it closed right after, a refusal say."""

    async def _build_transport(self, *given: Any, **named: Any) -> Any:
        transport = await super()._build_transport(*given, **named)
        receive = transport._sock_recv

        def hear_out() -> tuple[bytes, Exception | None]:
            # The end of the connection stays readable, so the next call reports it.
            heard, error = receive()
            return heard, None if heard else error

        transport._sock_recv = hear_out
        return transport


class _Causes(logging.Handler):
    """Why connections failed: the library logs it, tries again until the time is up, and then speaks of a time-out."""

    last: KafkaError | None = None

    def emit(self, record: logging.LogRecord) -> None:
        for argument in record.args if isinstance(record.args, tuple) else ():
            # That a later attempt found the door closed says less than the refusal before it.
            refused = isinstance(self.last, SaslAuthenticationFailedError | AuthorizationError)
            timed_out = isinstance(argument, KafkaTimeoutError | RequestTimedOutError)
            if isinstance(argument, KafkaError) and not timed_out and not refused:
                self.last = argument


def connected(kind: type[_Client], config: dict[str, Any]) -> _Client:
    """Make a client; one that cannot connect leaves its thread behind, so that is ended here."""
    _await_listener(config)
    made: list[KafkaNetClient] = []

    def connection(**given: Any) -> KafkaNetClient:
        net = NetworkSelector(**given)
        made.append(KafkaNetClient(net=net, manager=_Connections(net, **given)))
        return made[0]

    causes = _Causes()
    logger = logging.getLogger("kafka.net")
    logger.addHandler(causes)
    try:
        return kind(**config, kafka_client=connection)
    except BaseException as error:
        for each in made:
            each.close()
            each._manager._net.stop()
        if causes.last is not None and isinstance(error, KafkaTimeoutError):
            raise causes.last from error
        raise
    finally:
        logger.removeHandler(causes)
