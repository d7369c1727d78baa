"""The worker process: Faust carries micro-batches of partitions to ingest and rollup. The only file that knows Faust.

Stock Faust pays for each record (~80 us here) and acknowledges an event whose handler failed, or which it skipped
during a rebalance. So one Faust message is one fetched batch, and an offset is committed only when the pipeline says
that everything before it is durable.
"""

from __future__ import annotations

import asyncio
import gc
import os
import ssl
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, inf
from typing import Any, NamedTuple

import faust
import msgspec
import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.consumer.fetcher import PartitionRecords
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer, Transport
from faust.types import TP
from faust.types import Message as FaustMessage
from faust.types.tuples import ConsumerMessage
from mode.supervisors import CrashingSupervisor

from streams import metrics
from streams.clickhouse import Warehouse
from streams.communities.watch import Watch
from streams.health import HealthServer
from streams.kafka import client_config
from streams.processors.block import Batch
from streams.processors.ingest import Ingest, Message
from streams.processors.progress import Partition, Progress
from streams.processors.rollup import Rollup
from streams.settings import KafkaSettings, Settings
from streams.topics import ALL
from streams.topics.internal import INVALIDATIONS

log = structlog.get_logger()

DAY_S = 86_400.0
LONGEST_REQUEST = 64 << 20
END_OFFSETS_EVERY_S = 2.0


class Fetched(msgspec.Struct, frozen=True, gc=False):
    """One record as it was fetched; headers are (name, bytes) pairs."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


def fetched(_: PartitionRecords, tp: TP, record: Any) -> Fetched:
    """In place of aiokafka's own record, a frozen dataclass of eleven fields that takes longer than decoding it."""
    return Fetched(
        tp.topic, tp.partition, record.offset, record.timestamp, record.key, record.value, tuple(record.headers)
    )


class Backlog(NamedTuple):
    """What is left of a partition."""

    left: int
    """Records that are still to be taken, as of its last fetch."""
    reached_ms: int
    """Timestamp of the last record that was taken, 0 when none was."""


def shares(backlogs: Mapping[TP, Backlog], ahead: int, record_ms: float) -> dict[TP, int]:
    """Records to take next: all, or those by which no partition gets more than `ahead` records beyond the last.

    Records of all partitions, each of which has as many of them as of what is left; one comes every `record_ms`.
    """
    left = {tp: backlog.left for tp, backlog in backlogs.items() if backlog.left}
    total = sum(left.values())
    if total <= ahead:
        return left
    last_ms = min(backlogs[tp].reached_ms for tp in left)
    room = {tp: ahead - (backlogs[tp].reached_ms - last_ms) / max(record_ms, 1e-9) for tp in left}
    return {tp: min(left[tp], ceil(room[tp] * left[tp] / total)) for tp in left if room[tp] > 0}


class AlignedThread(AIOKafkaConsumerThread):  # type: ignore[misc]
    """Takes partitions in step, by the timestamps of their records, when there is much to catch up on.

    Read as they come they would be days of event time apart, and a bucket recomputed once for each of them.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.reached_ms: dict[TP, int] = {}
        self.pace = Pace()
        self.failure: Exception | None = None

    async def _fetch_records(
        self,
        consumer: AIOKafkaConsumer,
        active_partitions: set[TP],
        timeout: float | None = None,  # noqa: ASYNC109 - Faust's name
        max_records: int | None = None,
    ) -> Mapping[TP, Sequence[Any]]:
        if self.failure is not None:
            failure, self.failure = self.failure, None
            raise failure
        most = max_records or 1
        at_once = {tp for tp in active_partitions if tp.topic == self.app.at_once_topic}
        found = await self.take(consumer, dict.fromkeys(at_once, most))
        mine = sorted((active_partitions - at_once).intersection(consumer.assignment()))  # a rebalance may have begun
        backlogs = {tp: await self.backlog(consumer, tp) for tp in mine}
        step, record_ms = max(1, most // 2), self.pace.record_ms(backlogs.values())
        given: Mapping[TP, int] = {}
        # One more block ahead is better than to stand still while the last partition is fetched.
        for ahead in (step, 2 * most):
            given = shares(backlogs, ahead, record_ms)
            events = await self.take(consumer, given)
            if events or self.failure:
                return found | events
        if not found:
            # One record tells that there are more, and the fetch that brought it how many.
            waited_for = at_once | given.keys() if given else active_partitions
            found = dict(await super()._fetch_records(consumer, waited_for, timeout, 1))
        # Partitions that give nothing for that long do not stop the others: their broker may be away.
        return found or await self.take(consumer, shares(backlogs, step, inf))

    async def take(self, consumer: AIOKafkaConsumer, given: Mapping[TP, int]) -> dict[TP, Sequence[Any]]:
        """Records that were fetched, of each partition no more than it is to give."""
        found: dict[TP, Sequence[Any]] = {}
        for tp, share in given.items():
            try:
                found |= await super()._fetch_records(consumer, {tp}, 0, share)
            except Exception as failure:
                # Raised with the next call: what was taken of other partitions must not be lost.
                self.failure = failure
                break
        now_ms = time.time_ns() // 1_000_000  # A clock that is ahead must not make its partition wait for ever.
        self.reached_ms |= {tp: min(records[-1].timestamp, now_ms) for tp, records in found.items()}
        self.pace.taken += sum(map(len, found.values()))
        return found

    async def backlog(self, consumer: AIOKafkaConsumer, tp: TP) -> Backlog:
        """What is left of a partition: nothing, as far as is known, before its first fetch."""
        end = consumer.highwater(tp)
        left = 0 if end is None else max(0, end - await consumer.position(tp))
        return Backlog(left, self.reached_ms.get(tp, 0))


@dataclass(slots=True)
class Pace:
    """How much time passes from one record to the next, over all partitions."""

    since_ms: int = 0
    taken: int = 0

    def record_ms(self, backlogs: Iterable[Backlog]) -> float:
        """Milliseconds of timestamps a record; 0 until something of every partition was taken."""
        last_ms = min((backlog.reached_ms for backlog in backlogs if backlog.left), default=0)
        if last_ms and not self.since_ms:
            self.since_ms, self.taken = last_ms, 0
        return max(0, last_ms - self.since_ms) / max(1, self.taken) if last_ms else 0.0


class BatchConsumer(Consumer):  # type: ignore[misc]
    """Faust's Kafka consumer, with one message per partition and fetch instead of one per record."""

    def _new_consumer_thread(self) -> AlignedThread:
        return AlignedThread(self, loop=self.loop, beacon=self.beacon)

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, FaustMessage]]:  # noqa: ASYNC109 - Faust's name
        """Like the stock method, but each message's value is the list of records and its offset is the last one's."""
        records, active = await self._wait_next_records(timeout)
        generation = self.app.consumer_generation_id
        if records is None or self.should_stop:
            return
        if not self.flow_active:
            await self.take_back(records)
            return
        for partition, batch in records.items():
            tp = TP(partition.topic, partition.partition)
            if not self.flow_active or self.app.consumer_generation_id != generation:
                return
            if batch and (active is None or tp in active or tp in self._buffered_partitions):
                last = batch[-1]
                yield (
                    tp,
                    ConsumerMessage(
                        topic=tp.topic,
                        partition=tp.partition,
                        offset=last.offset,
                        timestamp=last.timestamp / 1000,
                        timestamp_type=0,
                        headers=[],
                        key=None,
                        value=batch,
                        checksum=None,
                        tp=tp,
                        generation_id=generation,
                    ),
                )

    async def take_back(self, records: Mapping[Any, Sequence[Any]]) -> None:
        """Fetch again what came in the middle of a rebalance and is dropped: go back to the last commit."""
        await self.perform_seek()
        for partition, batch in records.items():
            tp = TP(partition.topic, partition.partition)
            # Without a commit perform_seek leaves the position where it is: behind the records that are dropped here,
            # which the next acknowledgement would then skip.
            if batch and not self._committed_offset.get(tp) and tp in self.assignment():
                await self.seek(tp, batch[0].offset)

    def ack(self, message: FaustMessage) -> bool:
        """Faust acknowledges what it skips; only `durable` decides here."""
        message.acked = True
        self._unacked_messages.discard(message)
        return False

    def durable(self, tp: TP, offset: int) -> None:
        """Everything up to and including `offset` is stored and published: it may be committed."""
        self._acked[tp] = [max(offset, *self._acked[tp])] if self._acked[tp] else [offset]
        self._n_acked += 1

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Forget what was stored under an earlier assignment: another worker may have committed more since."""
        self._acked.clear()
        await super().on_partitions_assigned(assigned, generation_id)

    def _new_offset(self, tp: TP) -> int | None:
        acked = self._acked[tp]
        # In a rebalance it is open whose partitions these are, and the broker takes a commit from any member.
        return acked.pop() + 1 if acked and not self.app.rebalancing else None

    async def _commit_offsets(self, offsets: Mapping[TP, int], start_new_transaction: bool = True) -> bool:
        self._committing_for = self.app.consumer_generation_id
        return bool(await super()._commit_offsets(offsets, start_new_transaction))

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        # Faust flushes its producer first, which may take longer than a rebalance.
        if self._committing_for != self.app.consumer_generation_id:
            return False
        return bool(await super()._commit(offsets))

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """A batch spans offsets; gaps between batches need no bookkeeping because batches are settled in order."""


class BatchTransport(Transport):  # type: ignore[misc]
    """Faust's Kafka transport with the batch consumer."""

    Consumer = BatchConsumer


class BatchSchema(faust.Schema):  # type: ignore[misc]
    """Hands a batch through as it is: records are decoded by the pipeline, where one bad record harms no other."""

    def compile(self, app: faust.App, **_: Any) -> Callable[..., Awaitable[Any]]:
        """A decoder that decodes nothing."""
        create_event = app.create_event

        async def decode(message: FaustMessage, *, propagate: bool = False) -> Any:
            return create_event(message.key, message.value, message.headers, message)

        return decode


class Position(NamedTuple):
    """Where a batch ends, and the assignment that it came with."""

    tp: TP
    offset: int
    generation: int


class Worker:
    """One worker: a Faust app, the pipeline's two processors, and /health."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.warehouse = Warehouse(settings.warehouse)
        self.progress = Progress(settings.ingest.max_disorder_s)
        self.app = new_app(settings)
        prefix = settings.kafka.topic_prefix
        self.group = self.app.conf.id
        roles = settings.worker.roles
        self.ingest = Ingest(
            settings, self.warehouse, self.publish, self.acknowledge, self.is_current, self.pause, self.progress
        )
        self.rollup = Rollup(settings.rollup, self.warehouse, self.acknowledge, self.is_current, self.progress)
        if "ingest" in roles:
            self.add_agent("ingest", [family.topic(prefix) for family in ALL], self.ingest.offer)
            self.app.task(self.guarded(self.ingest.run))
        if "rollup" in roles:
            self.add_agent("rollup", [INVALIDATIONS.topic(prefix)], self.rollup.offer)
            self.app.task(self.guarded(self.rollup.run))
            if settings.communities.file:
                watched, poll_s = settings.communities.file, settings.communities.poll_s
                topic = INVALIDATIONS.topic(prefix)
                self.app.task(self.guarded(Watch(watched, poll_s, self.warehouse, topic, self.publish).run))
        self.app.task(self.guarded(self.watch_ends))
        self.app.on_partitions_assigned.connect(self.on_assigned, weak=False)
        self.ready = False

    def add_agent(self, name: str, topics: Sequence[str], offer: Callable[[Batch], Awaitable[None]]) -> None:
        """Subscribe to topics and hand each batch over in order; a failure stops the process instead of skipping."""
        channel = self.app.topic(*topics, schema=BatchSchema(), allow_empty=True)

        async def agent(stream: Any) -> None:
            async for event in stream.noack().events():
                message = event.message
                # Not the event itself, which would hold on to the records until they are acknowledged.
                position = Position(message.tp, message.offset, message.generation_id)
                await offer(Batch(message.topic, message.partition, event.value, position))

        self.app.agent(channel, name=f"{self.app.conf.id}.{name}", supervisor_strategy=CrashingSupervisor)(agent)

    def guarded(self, task: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        """A task whose failure ends the process at once: a restart is the tested way out of anything unexpected."""

        async def run() -> None:
            try:
                await task()
            except asyncio.CancelledError:
                raise
            except BaseException:
                log.exception("the worker cannot go on; it exits so that a restart takes over from the last commit")
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(70)

        return run

    async def publish(self, messages: Sequence[Message]) -> None:
        """Send and wait until the broker has all of them."""
        producer = self.app.producer
        sent = [
            await producer.send(
                message.topic,
                message.key,
                message.value,
                None,
                None,
                list(message.headers) if message.headers else None,
            )
            for message in messages
        ]
        await asyncio.gather(*sent)

    async def acknowledge(self, position: Position) -> None:
        """Let Faust commit the batch's last offset with its next commit."""
        self.app.consumer.durable(position.tp, position.offset)

    def is_current(self, position: Position) -> bool:
        """False for a batch of an earlier assignment: it is being fetched again, here or by another worker."""
        return bool(position.generation == self.app.consumer_generation_id)

    def pause(self, partition: Partition) -> None:
        """Fetch no more of a partition until the next assignment."""
        self.app.consumer.pause_partitions({TP(*partition)})

    async def on_assigned(self, app: faust.App, assigned: set[TP], **_: Any) -> None:
        """Own the assigned partitions from now on."""
        now = time.monotonic()
        self.progress.assign({(tp.topic, tp.partition): None for tp in assigned}, now)
        self.ingest.on_assigned()
        self.ready = True
        log.info("partitions assigned", partitions=len(assigned), group=self.group)

    async def watch_ends(self) -> None:
        """Ask where partitions end and what is committed, for lag, watermarks and health."""
        while True:
            await asyncio.sleep(END_OFFSETS_EVERY_S)
            consumer = self.app.consumer
            for topic, partition in list(self.progress.positions):
                tp = TP(topic, partition)
                try:
                    end = consumer.highwater(tp)
                except Exception:  # a rebalance is under way: the partition is nobody's for the moment
                    continue
                position = self.progress.position((topic, partition))
                committed = consumer._committed_offset.get(tp)
                if committed and committed > position.next_offset:
                    position.next_offset = committed
                self.progress.ended((topic, partition), end or 0, time.monotonic())
                metrics.LAG.labels(self.group, topic, str(partition)).set(position.lag)
                if position.watermark_ms > 0:
                    metrics.WATERMARK.labels(topic, str(partition)).set(position.watermark_ms / 1000)

    def describe(self) -> dict[str, Any]:
        """What /health shows beside the verdict."""
        return {"ready": self.ready, "group": self.group, "roles": list(self.settings.worker.roles)}


def new_app(settings: Settings) -> faust.App:
    """A Faust app with the settings that avoid its known hangs."""
    kafka = settings.kafka
    app = faust.App(
        f"{kafka.topic_prefix}pipeline",
        broker=[f"kafka://{address}" for address in kafka.bootstrap.split(",")],
        broker_credentials=credentials(kafka),
        broker_session_timeout=kafka.session_timeout_s,
        broker_heartbeat_interval=max(0.1, kafka.session_timeout_s / 4),
        broker_rebalance_timeout=max(kafka.session_timeout_s, 5.0),
        broker_request_timeout=max(90.0, kafka.session_timeout_s),
        broker_commit_interval=kafka.commit_interval_s,
        # Full buffers count as idle: a warehouse that is away for long must not cost the worker its partitions.
        broker_max_poll_interval=2 * DAY_S,
        broker_max_poll_records=settings.ingest.max_rows,
        consumer_max_fetch_size=settings.ingest.fetch_bytes,
        consumer_auto_offset_reset="earliest",
        producer_max_request_size=LONGEST_REQUEST,
        producer_acks=-1,
        stream_buffer_maxsize=4,
        stream_wait_empty=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        store="memory://",
        web_enabled=False,
    )
    app.at_once_topic = INVALIDATIONS.topic(kafka.topic_prefix)
    PartitionRecords._consumer_record = fetched
    app._create_directories = lambda: None  # nothing of Faust's is kept on disk
    app.transport = BatchTransport(app.conf.broker_consumer, app)
    return app


def credentials(kafka: KafkaSettings) -> Any:
    """Faust's credentials. It would speak plain text when given a password without TLS, so that is refused."""
    client_config(kafka)
    if kafka.security_protocol == "PLAINTEXT":
        return None
    context = None
    if kafka.security_protocol.endswith("SSL"):
        context = ssl.create_default_context(cafile=str(kafka.ssl_cafile) if kafka.ssl_cafile else None)
    if kafka.security_protocol == "SSL":
        return faust.SSLCredentials(context=context)
    return faust.SASLCredentials(
        username=kafka.sasl_username,
        password=kafka.sasl_password.get_secret_value(),
        mechanism=kafka.sasl_mechanism,
        ssl_context=context,
    )


def run(settings: Settings) -> None:
    """Run a worker until SIGINT or SIGTERM. Exits with 70 when it met something that only a restart can mend.

    Raises OSError when the port of /health is taken.
    """
    # Records live for a second and refer to nothing that refers back: looking for cycles among them is a fifth of the
    # work. What was imported is never garbage.
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    worker = Worker(settings)
    HealthServer(settings.worker, worker.progress, worker.describe).start()
    faust.Worker(worker.app, loglevel="WARNING", override_logging=False, quiet=True).execute_from_commandline()
