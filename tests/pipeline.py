"""The pipeline in one process: the real Ingest and Rollup on the real engine, with a log in memory in Kafka's place.

Records are cut into batches as a test likes, and any write can be broken: not done, half done, or done with its reply
lost. What a crash leaves behind is what Kafka and the warehouse would hold: the log, its committed offsets, the tables.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from threading import Event as Gate
from typing import Any, Literal, NamedTuple, TypeVar
from zlib import crc32

import pyarrow as pa

from streams.clickhouse import Warehouse, WarehouseUnavailable
from streams.processors.block import Batch, Block, Record
from streams.processors.ingest import Ingest, Message
from streams.processors.progress import Partition, Progress
from streams.processors.rollup import Rollup
from streams.settings import MetricsSettings, Settings
from streams.sql_files import made, views
from streams.topics import ALL, by_name
from streams.topics.internal import DEAD_LETTERS, INVALIDATIONS

T = TypeVar("T")

Kind = Literal["before", "half", "refused", "reply lost"]
"""Killed before or amid a write; or the warehouse is away once: before the write, or only for its answer.

Killed after a write leaves what killed before the next one leaves.
"""

KINDS: tuple[Kind, ...] = ("before", "half", "refused", "reply lost")


class Crash(BaseException):
    """The worker process is gone: nothing of it runs any more, and its memory is lost."""


class Log:
    """Kafka's part: partitions of records, one consumer group's committed offsets, and who may commit."""

    def __init__(self, partitions: int = 3, place: Callable[[bytes], int] | None = None) -> None:
        self.records: dict[Partition, list[Record]] = {}
        self.committed: Counter[Partition] = Counter()
        self.place = place or (lambda key: crc32(key) % partitions)
        self.owner: Worker | None = None

    def append(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        timestamp: int,
        headers: Sequence[tuple[str, bytes]] = (),
    ) -> Record:
        partition = self.place(key or b"")
        records = self.records.setdefault((topic, partition), [])
        records.append(Record(topic, partition, len(records), timestamp, key, value, headers))
        return records[-1]

    def of(self, topic: str) -> list[Record]:
        return [record for (name, _), records in self.records.items() if name == topic for record in records]


class Token(NamedTuple):
    """What acknowledges a batch."""

    generation: int
    partition: Partition
    next_offset: int


@dataclass
class Faults:
    """Breaks the write with number `at`, counted from 0 over all writes of a worker; or holds it until it is let go."""

    at: int | None = None
    kind: Kind = "before"
    each: dict[str, int] = field(default_factory=dict)
    """Names of writes that are broken as well, each the first, second ... time that it is made."""
    group_acks: bool = False
    """Acknowledgements in a row count as one write: several worlds go through the same crash."""
    hold: bool = False
    names: list[str] = field(default_factory=list)
    held: Gate = field(default_factory=Gate)
    let_go: Gate = field(default_factory=Gate)
    fired: bool = False

    def next(self, name: str) -> Kind | None:
        """How to break this write, if at all."""
        if not (self.group_acks and name.startswith("acknowledge") and self.names[-1:] == [name]):
            self.names.append(name)
        if self.each.get(name) == self.names.count(name):
            del self.each[name]
            return self.kind
        if self.at != len(self.names) - 1 or self.fired:
            return None
        self.fired = True
        if self.hold:
            self.held.set()
            if not self.let_go.wait(60):
                raise TimeoutError(f"{name} was held and never let go")
            return None
        return self.kind


class BreakableWarehouse:
    """The warehouse as a worker sees it: inserts and commands may be broken, everything else is passed on."""

    def __init__(self, warehouse: Warehouse, faults: Faults) -> None:
        self._warehouse = warehouse
        self._faults = faults

    def __getattr__(self, name: str) -> Any:
        return getattr(self._warehouse, name)

    def insert(self, table: str, rows: pa.Table, settings: Any = None) -> None:
        half = rows.slice(0, rows.num_rows // 2)
        self._break(
            f"insert {table.rpartition('.')[2]}",
            lambda: self._warehouse.insert(table, rows, settings),
            lambda: self._warehouse.insert(table, half, settings),
        )

    def command(self, sql: str, parameters: Any = None, settings: Any = None) -> int:
        into = re.search(r"INSERT INTO (?:\S+\.)?(\w+)", sql)
        what = "remove from" if "1 AS is_deleted" in sql else "recompute"
        return self._break(
            f"{what} {into.group(1) if into else sql[:40]}",
            lambda: self._warehouse.command(sql, parameters, settings),
            lambda: None,
        )

    def _break(self, name: str, whole: Callable[[], Any], half: Callable[[], None]) -> Any:
        kind = self._faults.next(name)
        if kind == "refused":
            raise WarehouseUnavailable(f"{name}: away")
        if kind == "before":
            raise Crash(name)
        if kind == "half":
            half()
            raise Crash(name)
        answer = whole()
        if kind == "reply lost":
            raise WarehouseUnavailable(f"{name}: done, and the answer is lost")
        return answer


class Worker:
    """One worker of the pipeline, reading `log` from the committed offsets on; a new one takes over from the old.

    `mine` says which partitions it is assigned. A worker that was replaced goes on as one that was paused would: it
    writes, but the broker takes no commit from it; once `told`, it knows.
    """

    def __init__(
        self,
        settings: Settings,
        warehouse: Warehouse,
        log: Log,
        faults: Faults | None = None,
        mine: Callable[[Partition], bool] = lambda partition: True,
    ) -> None:
        self.settings, self.log, self.mine = settings, log, mine
        self.generation = 0
        self.faults = faults or Faults()
        self.told = False
        self.position: dict[Partition, int] = {}
        self.progress = Progress(settings.ingest.max_disorder_s)
        breakable: Any = BreakableWarehouse(warehouse, self.faults)
        self.ingest = Ingest(
            settings, breakable, self._publish, self._acknowledge, self._is_current, self._pause, self.progress
        )
        self.rollup = Rollup(settings.rollup, breakable, self._acknowledge, self._is_current, self.progress)
        self.paused: list[Partition] = []
        prefix = settings.kafka.topic_prefix
        self.topics = [family.topic(prefix) for family in ALL]
        self.invalidations = INVALIDATIONS.topic(prefix)
        log.owner = self

    def take_over(self) -> None:
        """Get the partitions back, from the committed offsets on; what was read under the assignment before is void."""
        self.generation += 1
        self.position.clear()
        self.told = False
        self.log.owner = self

    async def _publish(self, messages: Sequence[Message]) -> None:
        name = f"publish {messages[0].topic.removeprefix(self.settings.kafka.topic_prefix)}"
        kind = await asyncio.to_thread(self.faults.next, name)
        if kind in ("before", "refused"):
            raise Crash(name)
        for message in messages[: len(messages) // 2] if kind == "half" else messages:
            self.log.append(message.topic, message.key, message.value, 0, message.headers)
        if kind:
            raise Crash(name)

    async def _acknowledge(self, token: Token) -> None:
        name = "acknowledge " + ("invalidations" if token.partition[0] == self.invalidations else "events")
        kind = await asyncio.to_thread(self.faults.next, name)
        if kind in ("before", "half", "refused"):
            raise Crash(name)
        if self.log.owner is self and token.generation == self.generation:
            self.log.committed[token.partition] = max(self.log.committed[token.partition], token.next_offset)
        if kind:
            raise Crash(name)

    def _is_current(self, token: Token) -> bool:
        return not self.told and token.generation == self.generation

    def _pause(self, partition: Partition) -> None:
        self.paused.append(partition)

    def fetch(self, topics: Iterable[str], limit: int | None = None) -> list[Batch]:
        """What is new in the partitions of some topics: a batch of at most `limit` records each."""
        batches = []
        for partition, records in list(self.log.records.items()):
            if partition[0] not in topics or not self.mine(partition) or partition in self.paused:
                continue
            start = self.position.setdefault(partition, self.log.committed[partition])
            end = len(records) if limit is None else min(len(records), start + limit)
            if start < end:
                self.position[partition] = end
                batches.append(Batch(*partition, records[start:end], Token(self.generation, partition, end)))
        return batches

    async def take_in(self, limit: int | None = None) -> Block | None:
        """Ingest one batch of each partition that has something; returns the block, None when there was nothing."""
        batches = self.fetch(self.topics, limit)
        if not batches:
            return None
        block = await self.ingest.decode(batches)
        if block.decoded:
            await self.ingest.write(block)
        return block

    async def listen(self, limit: int | None = None) -> bool:
        """Hand new invalidations to the rollup; False when there were none."""
        batches = self.fetch([self.invalidations], limit)
        for batch in batches:
            await self.rollup.offer(batch)
        return bool(batches)

    async def flush(self, stage: int) -> None:
        """Recompute what is dirty in one grain."""
        if self.rollup.due_at(stage) is not None:
            await self.rollup.flush(stage)

    async def drain(self, limit: int | None = None) -> None:
        """Until nothing is left to do."""
        while await self.take_in(limit):
            pass
        while await self.listen():
            pass
        for stage in range(len(self.rollup.stages)):
            await self.flush(stage)


class QuickLoop(asyncio.SelectorEventLoop):
    """An event loop that sleeps a thousandth of what it is asked to: retries back off, and tests do not wait."""

    def call_later(self, delay: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        return super().call_later(delay / 1000, callback, *args, context=context)


class Lab:
    """A deployment for tests: its databases are shared by many examples, each in a world of its own.

    A world is a prefix of community ids: rows of different worlds never meet.
    """

    def __init__(self, settings: Settings, warehouse: Warehouse) -> None:
        self.settings, self.warehouse = settings, warehouse
        self._metrics = settings.metrics
        self._runner = asyncio.Runner(loop_factory=QuickLoop)
        self._worlds = 0

    def close(self) -> None:
        self._runner.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)

    def start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Begin something that goes on while other work is run."""

        async def begin() -> asyncio.Task[T]:
            return asyncio.ensure_future(work)

        return self.run(begin())

    def finish(self, task: Awaitable[T]) -> T:
        async def wait() -> T:
            return await task

        return self.run(wait())

    def world(self) -> str:
        self._worlds += 1
        return f"w{self._worlds}."

    def worker(self, log: Log, faults: Faults | None = None, **options: Any) -> Worker:
        return Worker(self.settings, self.warehouse, log, faults, **options)

    def topic(self, family: str) -> str:
        return by_name[family].topic(self.settings.kafka.topic_prefix)

    def remake_views(self, metrics: MetricsSettings) -> None:
        """Make the views anew that other settings change, as `migrate` does, but without their comments."""
        for (_, now), (_, then) in zip(views(metrics=self._metrics), views(metrics=metrics), strict=True):
            if now != then:
                self.warehouse.script(made(then))
        self._metrics = metrics

    @property
    def dead_letter_topic(self) -> str:
        return DEAD_LETTERS.topic(self.settings.kafka.topic_prefix)

    def drain(self, log: Log, limit: int | None = None) -> None:
        """A worker that nothing happens to does all there is to do."""
        self.run(self.worker(log).drain(limit))
