"""Publishing to Kafka: the contract is checked before a record leaves, and what was not delivered is told of."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec

from streams.kafka import ClientError, producer, topic_names
from streams.kafka_connection import BrokerUnavailable, TopicMissing
from streams.topics import Event, Rejected, by_name, parse
from streams.topics.cloudevents import binary_headers
from streams.topics.decode import Decoder
from streams.topics.validate import extra_of, read_object

if TYPE_CHECKING:
    from types import TracebackType

    from streams.settings import KafkaSettings

Compression = Literal["gzip", "lz4", "zstd"]

# The library does not bound what waits for the broker; this does.
_MAX_WAITING_BYTES = 32 << 20
_REAP_EVERY = 512
_SHOWN_FAILURES = 5


@dataclass(frozen=True)
class Undelivered:
    """A record the broker did not take, and why."""

    topic: str
    key: str
    reason: str


class DeliveryFailed(Exception):
    """`count` records were not delivered since the last time this was said; `first` has a few of them."""

    def __init__(self, count: int, first: Sequence[Undelivered]) -> None:
        shown = "; ".join(f"{each.topic} {each.key}: {each.reason}" for each in first)
        super().__init__(f"{count} records were not delivered ({shown}{'; ...' if count > len(first) else ''})")
        self.count = count
        self.first = tuple(first)


class RawProducer:
    """Sends bytes, remembers what became of them, and waits when too much is on its way. Safe to use from many threads.

    `sent` counts records handed over, `delivered` those acknowledged, `failed` those given up on.
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        *,
        max_record_bytes: int = 1 << 20,
        compression: Compression | None = "gzip",
        linger_ms: int = 20,
        delivery_timeout_s: float = 30.0,
    ) -> None:
        self._kafka = kafka
        self._delivery_timeout_s = delivery_timeout_s
        self._lock = threading.Lock()
        self._waiting: deque[tuple[Any, int, str, bytes | None]] = deque()
        self._waiting_bytes = 0
        self._failures: list[Undelivered] = []
        self._unreported = 0
        self._closed = False
        self.sent = self.delivered = self.failed = 0
        self._topics = topic_names(kafka)
        self._producer = producer(
            kafka,
            # The checksum of a record is computed in Python: fewer bytes cost less than compressing them.
            compression_type=compression,
            linger_ms=linger_ms,
            batch_size=64 << 10,
            max_request_size=max_record_bytes + (64 << 10),
            delivery_timeout_ms=int(delivery_timeout_s * 1000),
            request_timeout_ms=int(min(15.0, delivery_timeout_s * 0.9) * 1000),
            max_block_ms=int(delivery_timeout_s * 1000),
        )

    def send(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None = None,
        headers: Sequence[tuple[str, bytes]] = (),
        partition: int | None = None,
    ) -> None:
        """Hand over one record. Raises `TopicMissing` or `BrokerUnavailable`; of deliveries `flush` tells."""
        if topic not in self._topics:
            # It may have been created since. Some brokers create what is just sent to, with one partition.
            self._topics = topic_names(self._kafka)
            if topic not in self._topics:
                raise TopicMissing(topic, self._kafka.bootstrap)
        try:
            future = self._producer.send(topic, value, key=key, headers=list(headers), partition=partition)
        except ClientError as error:
            raise BrokerUnavailable(
                f"the Kafka broker at {self._kafka.bootstrap} takes no records", str(error), "streams doctor"
            ) from error
        size = len(value or b"") + len(key or b"") + 64
        with self._lock:
            self.sent += 1
            self._waiting.append((future, size, topic, key))
            self._waiting_bytes += size
            if self._waiting_bytes > _MAX_WAITING_BYTES:
                self._reap(down_to=_MAX_WAITING_BYTES // 2)
            elif self.sent % _REAP_EVERY == 0:
                self._reap(down_to=None)

    def _reap(self, down_to: int | None) -> None:
        """Count what has been answered; with `down_to` wait until no more than so many bytes are on their way."""
        while self._waiting:
            future, size, topic, key = self._waiting[0]
            must_wait = down_to is not None and self._waiting_bytes > down_to
            if not future.is_done and not must_wait:
                return
            try:
                future.get(timeout=self._delivery_timeout_s * 2)
                self.delivered += 1
            except Exception as error:  # whatever the reason, this record has not arrived
                self.failed += 1
                self._unreported += 1
                if len(self._failures) < _SHOWN_FAILURES:
                    name = (key or b"").decode("utf-8", "replace")
                    self._failures.append(Undelivered(topic, name, f"{type(error).__name__}: {error}"))
            self._waiting.popleft()
            self._waiting_bytes -= size

    def flush(self) -> None:
        """Wait until everything sent is delivered or given up. Raises `DeliveryFailed` for what was given up."""
        # What has not been answered by then is counted as failed below, one by one.
        with contextlib.suppress(ClientError):
            self._producer.flush(timeout=self._delivery_timeout_s * 2)
        with self._lock:
            self._reap(down_to=0)
            if self._unreported:
                count, first = self._unreported, self._failures
                self._unreported, self._failures = 0, []
                raise DeliveryFailed(count, first)

    def close(self) -> None:
        """Flush and disconnect; may be called twice. Raises `DeliveryFailed`."""
        if self._closed:
            return
        self._closed = True
        try:
            self.flush()
        finally:
            self._producer.close(timeout=1.0)

    def __enter__(self) -> RawProducer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        _close_after(self, error)


class Outgoing(NamedTuple):
    """An event that follows the contract, as it goes to Kafka."""

    topic: str
    value: bytes
    key: bytes
    headers: Sequence[tuple[str, bytes]]


class _Typed(msgspec.Struct):
    """As much of an event as is needed to know its family."""

    type: str


_family_of_json = msgspec.json.Decoder(_Typed).decode


class Encoder:
    """Turns events into records; pure. `cloudevents` adds the attributes of CloudEvents as headers (binary mode)."""

    def __init__(self, topic_prefix: str, max_record_bytes: int = 1 << 20, cloudevents: bool = False) -> None:
        self._max_record_bytes = max_record_bytes
        self._cloudevents = cloudevents
        self._topics = {name: family.topic(topic_prefix) for name, family in by_name.items()}
        self._decoders = {name: Decoder(family, max_record_bytes) for name, family in by_name.items()}

    def event(self, event: Mapping[str, Any] | Event) -> Outgoing:
        """The record of an event; unknown fields are kept. Raises `Rejected`."""
        checked = self._checked(event)
        if checked.model_extra or getattr(checked, "items", None):
            extra_of(checked)
        value = checked.to_json()
        if len(value) > self._max_record_bytes:
            raise Rejected("too_large", f"{len(value)} bytes as JSON, of {self._max_record_bytes} at most")
        headers = binary_headers(checked) if self._cloudevents else ()
        return Outgoing(self._topics[checked.type], value, checked.key, headers)

    def _checked(self, event: Mapping[str, Any] | Event) -> Event:
        if not isinstance(event, Event):
            return parse(dict(event))
        family = by_name.get(event.type)
        # The envelope alone is an Event too, and one that was never checked as its family.
        if family is not None and isinstance(event, family.model):
            return event
        return parse(event.model_dump(exclude_unset=True))

    def json(self, value: bytes) -> Outgoing:
        """The record of an event that is JSON already, byte for byte. Raises `Rejected`.

        Checked by the worker's own decoder, which makes it several times as fast as `event`.
        """
        try:
            name = _family_of_json(value).type
            decoder = self._decoders[name]
        except (msgspec.DecodeError, UnicodeDecodeError, KeyError):
            # Nothing that fails here is an event: this finds the reason.
            return self.event(self._bounded(value))
        event = decoder.decode(value)
        key = f"{event.community_id}/{event.member_id}".encode()
        headers = binary_headers(parse(read_object(value))) if self._cloudevents else ()
        return Outgoing(self._topics[name], value, key, headers)

    def _bounded(self, value: bytes) -> dict[str, object]:
        if len(value) > self._max_record_bytes:
            raise Rejected("too_large", f"{len(value)} bytes, of {self._max_record_bytes} at most")
        return read_object(value)


class Publisher:
    """Publishes events of the contract: `with Publisher(settings.kafka) as publisher: publisher.publish({...})`.

    An event is checked, keyed `community/member` and sent to the topic of its family; leaving the block waits for the
    deliveries. Safe to use from several threads. Publishing an event again is harmless: one `event_id` in a community
    is one fact. With `cloudevents` records carry the CloudEvents attributes as `ce_*` headers (binary mode).
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        *,
        max_record_bytes: int = 1 << 20,
        cloudevents: bool = False,
        compression: Compression | None = "gzip",
        delivery_timeout_s: float = 30.0,
    ) -> None:
        self._encoder = Encoder(kafka.topic_prefix, max_record_bytes, cloudevents)
        self._producer = RawProducer(
            kafka,
            max_record_bytes=max_record_bytes,
            compression=compression,
            delivery_timeout_s=delivery_timeout_s,
        )

    @property
    def published(self) -> int:
        """Events the broker has acknowledged; exact after `flush`."""
        return self._producer.delivered

    @property
    def failed(self) -> int:
        """Events the broker did not take in time; exact after `flush`."""
        return self._producer.failed

    def publish(self, event: Mapping[str, Any] | Event) -> None:
        """Check and send one event. Raises `Rejected` (nothing was sent), `TopicMissing` or `BrokerUnavailable`."""
        self._send(self._encoder.event(event))

    def publish_json(self, event: bytes) -> None:
        """Check and send one event that is JSON already, byte for byte. Raises as `publish` does."""
        self._send(self._encoder.json(event))

    def _send(self, record: Outgoing) -> None:
        self._producer.send(record.topic, record.value, record.key, record.headers)

    def flush(self) -> None:
        """Wait until everything published is delivered or given up. Raises `DeliveryFailed`."""
        self._producer.flush()

    def close(self) -> None:
        """Flush and disconnect; may be called twice. Raises `DeliveryFailed`."""
        self._producer.close()

    def __enter__(self) -> Publisher:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        _close_after(self, error)


def _close_after(closing: RawProducer | Publisher, error: BaseException | None) -> None:
    """Close; an error that is already on its way matters more than the deliveries."""
    try:
        closing.close()
    except DeliveryFailed as failed:
        if error is None:
            raise
        error.add_note(str(failed))
