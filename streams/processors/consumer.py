"""Faust's Kafka consumer, in batches: one message is what was fetched of a partition, and partitions keep in step.

Stock Faust pays for each record (~80 us here) and acknowledges an event whose handler failed, or which it skipped
during a rebalance. So one Faust message is one fetched batch, and an offset is committed only when the pipeline says
that everything before it is durable.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, inf
from typing import Any, NamedTuple

import faust
from aiokafka import AIOKafkaConsumer
from aiokafka.consumer.fetcher import PartitionRecords
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer, Transport
from faust.types import TP
from faust.types import Message as FaustMessage
from faust.types.tuples import ConsumerMessage

from streams.processors.block import Record

TRICKLE_S = 0.1
"""How long what trickles in is collected: a fetch costs broker and worker as much as hundreds of records."""

FETCH_WAIT_MS = 100
"""How long the broker may hold a fetch while it has nothing. Faust's own 1,500 is how long the embedded broker sleeps
before it looks again, however much comes meanwhile."""


def fetched(_: PartitionRecords, tp: TP, record: Any) -> Record:
    """In place of aiokafka's own record, a frozen dataclass of eleven fields that takes longer than decoding it."""
    return Record(
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

    Read as they come they would be days of event time apart, and a bucket recomputed once for each of them. When there
    is little, it is taken in ticks rather than record by record.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.reached_ms: dict[TP, int] = {}
        self.pace = Pace()
        self.failure: Exception | None = None
        self.trickles = False

    def _create_worker_consumer(self, transport: Transport) -> AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        return consumer

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
        if self.trickles:
            await asyncio.sleep(TRICKLE_S)
        most = max_records or 1
        at_once = {tp for tp in active_partitions if tp.topic == self.app.at_once_topic}
        found = await self.take(consumer, dict.fromkeys(at_once, most))
        mine = sorted((active_partitions - at_once).intersection(consumer.assignment()))  # a rebalance may have begun
        backlogs = {tp: await self.backlog(consumer, tp) for tp in mine}
        self.trickles = sum(backlog.left for backlog in backlogs.values()) < most // 10
        # By itself the fetcher asks a broker for nothing as long as something that it sent is younger than this and not
        # yet taken: that gathers what trickles in, and leaves who catches up waiting.
        consumer._fetcher._prefetch_backoff = TRICKLE_S if self.trickles else 0.0
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

    def answered_ms(self, tp: TP) -> int | None:
        """When the broker last answered a fetch of a partition, in ms since the epoch; None before it has."""
        answered: int | None = self._thread._ensure_consumer().last_poll_timestamp(tp)
        return answered

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
    """Faust's Kafka transport with the batch consumer, whose records are ours."""

    Consumer = BatchConsumer

    def __init__(self, *args: Any, **options: Any) -> None:
        PartitionRecords._consumer_record = fetched
        super().__init__(*args, **options)


class BatchSchema(faust.Schema):  # type: ignore[misc]
    """Hands a batch through as it is: records are decoded by the pipeline, where one bad record harms no other."""

    def compile(self, app: faust.App, **_: Any) -> Callable[..., Awaitable[Any]]:
        """A decoder that decodes nothing."""
        create_event = app.create_event

        async def decode(message: FaustMessage, *, propagate: bool = False) -> Any:
            return create_event(message.key, message.value, message.headers, message)

        return decode
