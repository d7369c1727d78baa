"""Kafka as this project uses it: client settings, offsets and lag. With `kafka_topics` all that imports kafka-python.

The hot path reads with Faust's own client; this is for publishing and administration.
"""

from __future__ import annotations

import ipaddress
import logging
import socket
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import (
    AuthorizationError,
    BrokerResponseError,
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    NotCoordinatorError,
    RequestTimedOutError,
    SaslAuthenticationFailedError,
)
from kafka.net.compat import KafkaNetClient

if TYPE_CHECKING:
    from streams.settings import KafkaSettings

LISTENER_TIMEOUT_S = 2.0
CONNECT_TIMEOUT_S = 5.0
# A dead letter carries a whole record that was too large for its own topic.
LARGEST_RECORD = 32 << 20

_LATEST = -1
_CREATE_PARTITIONS = 37

ClientError = KafkaError
TIMEOUTS = (KafkaTimeoutError, RequestTimedOutError)
Partition = tuple[str, int]


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


class BrokerMisconfigured(BrokerError):
    """Our own settings cannot work or must not be used."""

    code = 2


class TopicMissing(BrokerError):
    """A topic has not been created."""

    code = 1

    def __init__(self, topic: str, bootstrap: str) -> None:
        super().__init__(f"topic {topic} does not exist", f"the broker at {bootstrap} has none", "streams topics apply")
        self.topic = topic


class Record(NamedTuple):
    """One record as the log holds it; `timestamp_ms` is UTC."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


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
    if kafka.ssl_cafile is not None:
        if not kafka.ssl_cafile.is_file():
            raise BrokerMisconfigured(
                f"kafka.ssl_cafile {kafka.ssl_cafile} is no file",
                "the brokers' certificates cannot be checked without it",
                "correct the path, or leave it unset to trust the system's authorities",
            )
        config["ssl_cafile"] = str(kafka.ssl_cafile)
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
        if isinstance(error, BrokerResponseError) and not isinstance(error, RequestTimedOutError):
            what = f"the Kafka broker at {kafka.bootstrap} answered with an error"
            raise BrokerError(what, str(error), "streams doctor") from error
        raise BrokerUnavailable(
            f"the Kafka broker at {kafka.bootstrap} cannot be reached",
            str(error),
            "start one with `streams up`, or point kafka.bootstrap elsewhere; check kafka.security_protocol",
        ) from error


def _await_listener(addresses: Sequence[str]) -> None:
    """Return when somebody listens at one of them; the library would log every attempt, and leave its sockets open."""
    deadline = time.monotonic() + LISTENER_TIMEOUT_S
    while True:
        for address in addresses:
            host, _, port = address.rpartition(":")
            try:
                socket.create_connection((host.strip("[]"), int(port)), timeout=LISTENER_TIMEOUT_S).close()
                return
            except ValueError:
                raise BrokerMisconfigured(f"kafka.bootstrap {address} has no port", "", "set it to host:port") from None
            except OSError as error:
                reason = f"{address}: {error.strerror or error}"
        if time.monotonic() > deadline:
            raise KafkaConnectionError(reason)
        time.sleep(0.2)


_Client = TypeVar("_Client", KafkaAdminClient, KafkaProducer, KafkaConsumer)


class _Causes(logging.Handler):
    """Why connections failed: the library logs it, tries again until the time is up, and then speaks of a time-out."""

    last: KafkaError | None = None

    def emit(self, record: logging.LogRecord) -> None:
        for argument in record.args if isinstance(record.args, tuple) else ():
            # That a later attempt found the door closed says less than the refusal before it.
            refused = isinstance(self.last, SaslAuthenticationFailedError | AuthorizationError)
            if isinstance(argument, KafkaError) and not isinstance(argument, TIMEOUTS) and not refused:
                self.last = argument


def _connected(kind: type[_Client], config: dict[str, Any]) -> _Client:
    """Make a client; one that cannot connect leaves its thread behind, so that is ended here."""
    _await_listener(config["bootstrap_servers"])
    made: list[KafkaNetClient] = []

    def connection(**given: Any) -> KafkaNetClient:
        made.append(KafkaNetClient(**given))
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


@contextmanager
def admin(kafka: KafkaSettings) -> Iterator[KafkaAdminClient]:
    """A connected administration client, closed afterwards. Raises a `BrokerError` after 5 s without an answer."""
    config = client_config(kafka)
    with explained(kafka):
        client = _connected(KafkaAdminClient, {**config, "request_timeout_ms": 15_000})
        try:
            yield client
        finally:
            client.close()


def is_embedded(client: KafkaAdminClient) -> bool:
    """Whether the broker is the embedded one, told by a request that every Apache Kafka since 1.0 serves."""
    return _CREATE_PARTITIONS not in client.api_versions()


def producer(kafka: KafkaSettings, **overrides: Any) -> KafkaProducer:
    """A producer that waits for all in-sync replicas and keeps the order; idempotent when the settings say so."""
    config = client_config(kafka)
    if not kafka.idempotence:
        # A batch that is sent again after an error would otherwise come behind the ones that were sent after it.
        config["max_in_flight_requests_per_connection"] = 1
    with explained(kafka):
        return _connected(
            KafkaProducer,
            {
                **config,
                "acks": "all",
                "enable_idempotence": kafka.idempotence,
                "allow_auto_create_topics": False,
                "metrics_enabled": False,
                **overrides,
            },
        )


def topic_names(kafka: KafkaSettings) -> set[str]:
    """Every topic the broker shows us."""
    with admin(kafka) as client:
        return set(client.list_topics())


def partitions_of(client: KafkaAdminClient, topics: Iterable[str]) -> dict[str, int]:
    """Number of partitions of those of `topics` that exist."""
    wanted = sorted(set(topics))
    if not wanted:
        return {}
    found = client.describe_topics(wanted)
    return {each["name"]: len(each["partitions"]) for each in found if each["error_code"] == 0 and each["partitions"]}


def end_offsets(kafka: KafkaSettings, topics: Iterable[str]) -> dict[Partition, int]:
    """Offset of the next record of every partition of those of `topics` that exist."""
    with admin(kafka) as client:
        return _end_offsets(kafka, client, topics)


def _end_offsets(kafka: KafkaSettings, client: KafkaAdminClient, topics: Iterable[str]) -> dict[Partition, int]:
    partitions = [
        TopicPartition(topic, n) for topic, count in partitions_of(client, topics).items() for n in range(count)
    ]
    if not partitions:
        return {}
    listed = client.list_partition_offsets(dict.fromkeys(partitions, _LATEST))
    ends = {partition: found.offset for partition, found in listed.items()}
    if is_embedded(client):
        # It lists the offset after the *first* record of the last batch; what a fetch says is right.
        ends |= _high_watermarks(kafka, {partition: offset for partition, offset in ends.items() if offset > 0})
    return {(partition.topic, partition.partition): offset for partition, offset in ends.items()}


def _high_watermarks(kafka: KafkaSettings, positions: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
    """High watermarks as fetches from `positions` report them."""
    if not positions:
        return {}
    consumer = _consumer(kafka, fetch_max_wait_ms=10)
    try:
        consumer.assign(list(positions))
        for partition, offset in positions.items():
            consumer.seek(partition, offset)
        seen: dict[TopicPartition, int] = {}
        for _ in range(100):
            consumer.poll(50)
            for partition in positions.keys() - seen.keys():
                mark = consumer.highwater(partition)
                if mark is not None:
                    seen[partition] = mark
            if len(seen) == len(positions):
                return seen
        raise BrokerUnavailable(
            f"the Kafka broker at {kafka.bootstrap} did not answer", "no fetch came back", "streams doctor"
        )
    finally:
        consumer.close()


def _consumer(kafka: KafkaSettings, **overrides: Any) -> KafkaConsumer:
    """A consumer outside any group."""
    return _connected(
        KafkaConsumer,
        {
            **client_config(kafka),
            "enable_auto_commit": False,
            "auto_offset_reset": "earliest",
            "max_partition_fetch_bytes": LARGEST_RECORD + (1 << 20),
            "fetch_max_bytes": LARGEST_RECORD + (1 << 20),
            **overrides,
        },
    )


def committed(kafka: KafkaSettings, group: str) -> dict[Partition, int]:
    """Committed offsets of a consumer group, without the partitions it never committed; empty for an unknown group."""
    with admin(kafka) as client:
        return _committed(client, group)


def _committed(client: KafkaAdminClient, group: str) -> dict[Partition, int]:
    deadline = time.monotonic() + CONNECT_TIMEOUT_S
    while True:
        try:
            found = client.list_group_offsets(group).get(group, {})
            break
        except (CoordinatorNotAvailableError, CoordinatorLoadInProgressError, NotCoordinatorError):
            # A new cluster makes the topic of the offsets when a group is first asked for; a failover takes a moment.
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
    return {(each.topic, each.partition): at.offset for each, at in found.items() if at.offset >= 0}


def lag(kafka: KafkaSettings, group: str, topics: Iterable[str]) -> dict[Partition, int]:
    """Records of every partition of `topics` that the group has still to commit: all where it never committed."""
    with admin(kafka) as client:
        done = _committed(client, group)
        ends = _end_offsets(kafka, client, topics)
    return {partition: max(0, end - done.get(partition, 0)) for partition, end in ends.items()}


def read_to_end(kafka: KafkaSettings, topics: Sequence[str], idle_s: float = 10.0) -> Iterator[Record]:
    """Every record of `topics` up to their present ends, in offset order within a partition, outside any group.

    Raises `BrokerUnavailable` when nothing arrives for `idle_s`.
    """
    ends = {TopicPartition(*partition): end for partition, end in end_offsets(kafka, topics).items() if end > 0}
    if not ends:
        return
    with explained(kafka):
        consumer = _consumer(kafka)
        try:
            consumer.assign(list(ends))
            consumer.seek_to_beginning(*ends)
            while any(consumer.position(partition) < end for partition, end in ends.items()):
                batches = consumer.poll(int(idle_s * 1000))
                if not batches:
                    raise KafkaTimeoutError(f"nothing arrived for {idle_s:g} s before the end of the log")
                for partition, records in batches.items():
                    for each in records:
                        if each.offset < ends[partition]:
                            yield Record(
                                each.topic,
                                each.partition,
                                each.offset,
                                each.timestamp,
                                each.key,
                                each.value,
                                tuple(each.headers),
                            )
        finally:
            consumer.close()
