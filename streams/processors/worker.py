"""The worker process: Faust carries batches to ingest and rollup, and commits what they say is durable."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import faust
import pyarrow as pa
import structlog
from faust.tables.manager import TableManager
from faust.types import TP
from mode.supervisors import CrashingSupervisor

from streams import metrics
from streams.clickhouse import Warehouse
from streams.communities.watch import Watch
from streams.health import HealthServer
from streams.kafka_connection import client_config
from streams.processors.block import Batch
from streams.processors.consumer import BatchSchema, BatchTransport
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
M_MMAP_THRESHOLD = -3
"""Of `malloc.h`: larger blocks than this are mapped each by itself. glibc's own grows with what is freed."""


class Position(NamedTuple):
    """Where a batch ends, and the assignment that it came with."""

    tp: TP
    offset: int
    generation: int


class NoTables(TableManager):  # type: ignore[misc]
    """Faust's tables: there are none, so nobody waits a second for them to be registered."""

    async def on_start(self) -> None:
        """Stock Faust's, without its sleep. Recovery also tells where consumers begin."""
        await self._update_channels()
        await self.recovery.start()


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
        """Note where partitions end, what is committed and whether the broker answers, as the client knows it.

        For lag, watermarks and health. Nothing is asked of the broker: fetches go on while there is nothing to read.
        """
        while True:
            await asyncio.sleep(END_OFFSETS_EVERY_S)
            consumer = self.app.consumer
            for topic, partition in list(self.progress.positions):
                tp = TP(topic, partition)
                try:
                    end, answered_ms = consumer.highwater(tp), consumer.answered_ms(tp)
                except Exception:  # a rebalance is under way: the partition is nobody's for the moment
                    continue
                position = self.progress.position((topic, partition))
                committed = consumer._committed_offset.get(tp)
                if committed and committed > position.next_offset:
                    position.next_offset = committed
                self.progress.ended((topic, partition), end or 0, time.monotonic())
                position.heard(answered_ms, time.monotonic())
                metrics.LAG.labels(self.group, topic, str(partition)).set(position.lag)
                if position.watermark_ms > 0:
                    metrics.WATERMARK.labels(topic, str(partition)).set(position.watermark_ms / 1000)

    def describe(self) -> dict[str, Any]:
        """What /health shows beside the verdict."""
        return {
            "ready": self.ready,
            "group": self.group,
            "roles": list(self.settings.worker.roles),
            "broker": self.settings.kafka.bootstrap,
        }


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
        TableManager=NoTables,
        store="memory://",
        web_enabled=False,
    )
    app.at_once_topic = INVALIDATIONS.topic(kafka.topic_prefix)
    app._create_directories = lambda: None  # nothing of Faust's is kept on disk
    app.transport = BatchTransport(app.conf.broker_consumer, app)
    return app


def credentials(kafka: KafkaSettings) -> Any:
    """Faust's credentials. It would speak plain text when given a password without TLS, so that is refused."""
    context = client_config(kafka).get("ssl_context")
    if kafka.security_protocol == "PLAINTEXT":
        return None
    if kafka.security_protocol == "SSL":
        return faust.SSLCredentials(context=context)
    return faust.SASLCredentials(
        username=kafka.sasl_username,
        password=kafka.sasl_password.get_secret_value(),
        mechanism=kafka.sasl_mechanism,
        ssl_context=context,
    )


def hand_back_memory() -> None:
    """Have what is free go back to the machine: of a backlog 350 MiB would stay for good.

    Arrow takes its memory from jemalloc, where that is built in, unless ARROW_DEFAULT_MEMORY_POOL says otherwise: other
    threads free blocks than made them, and mimalloc, its default, keeps 200 MiB of those. And glibc maps what is larger
    than 512 KiB, such as a fetch, by itself: it would lie between what stays.
    """
    if "jemalloc" in pa.supported_memory_backends() and not os.environ.get("ARROW_DEFAULT_MEMORY_POOL"):
        pa.set_memory_pool(pa.jemalloc_memory_pool())
    with suppress(AttributeError):  # another C library than glibc
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, 512 << 10)


def run(settings: Settings) -> None:
    """Run a worker until SIGINT or SIGTERM. Exits with 70 when it met something that only a restart can mend.

    Raises OSError when the port of /health is taken.
    """
    # Records live for a second and refer to nothing that refers back: looking for cycles among them is a fifth of the
    # work. What was imported is never garbage.
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    hand_back_memory()
    # Arrow imports pandas, where there is one, when it converts its first list: before there are events.
    threading.Thread(target=pa.array, args=([],)).start()
    worker = Worker(settings)
    HealthServer(settings.worker, worker.progress, worker.describe).start()
    faust.Worker(worker.app, loglevel="WARNING", override_logging=False, quiet=True).execute_from_commandline()
