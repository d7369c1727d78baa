"""What the worker changes in Faust, each beside what Faust does by itself: without it records would be lost."""

from __future__ import annotations

import warnings
from math import inf
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # Faust's own imports
    from aiokafka.consumer.fetcher import Fetcher
    from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread
    from faust.transport.drivers.aiokafka import Consumer as StockConsumer
    from faust.types import TP

    from streams.processors.consumer import FETCH_WAIT_MS, TRICKLE_S, Backlog, BatchConsumer, BatchSchema, Pace, shares
    from streams.processors.worker import credentials, new_app

from streams.settings import KafkaSettings, Settings

ONE = TP("t.messages.v1", 0)
OTHER = TP("t.messages.v1", 1)


class Fetched(NamedTuple):
    """A record as aiokafka hands it over."""

    topic: str
    partition: int
    offset: int
    timestamp: int = 1_700_000_000_000
    timestamp_type: int = 0
    headers: tuple[Any, ...] = ()
    key: bytes | None = None
    value: bytes | None = b"{}"
    checksum: int | None = None
    serialized_key_size: int = 0
    serialized_value_size: int = 2


def batch(tp: TP, first: int, last: int) -> list[Fetched]:
    """Records of one partition."""
    return [Fetched(tp.topic, tp.partition, offset) for offset in range(first, last + 1)]


class Broker:
    """The consumer thread's place: one prepared fetch, an assignment, committed offsets, and where was sought to."""

    def __init__(self, consumer: Any, fetch: dict[TP, list[Fetched]], committed: dict[TP, int | None]) -> None:
        self.fetch = fetch
        self.committed = committed
        self.sought: dict[TP, int] = {}
        self.sent: list[dict[TP, int]] = []
        consumer._thread = self
        consumer._active_partitions = set(committed)

    def assignment(self) -> set[TP]:
        return set(self.committed)

    async def getmany(self, active_partitions: set[TP] | None, timeout: float) -> dict[TP, list[Fetched]]:  # noqa: ASYNC109
        return self.fetch

    async def seek_to_committed(self) -> dict[TP, int | None]:
        # As aiokafka does: where nothing is committed it seeks nowhere.
        self.sought |= {tp: offset for tp, offset in self.committed.items() if offset}
        return self.committed

    async def commit(self, offsets: dict[TP, int]) -> bool:
        self.sent.append(dict(offsets))
        return True

    def seek(self, tp: TP, offset: int) -> None:
        self.sought[tp] = offset


@pytest.fixture
async def app() -> Any:
    made = new_app(Settings(kafka=KafkaSettings(topic_prefix="t.")))
    made.finalize()
    made.consumer_generation_id = 3
    return made


def consumer_of(app: Any, kind: type = BatchConsumer) -> Any:
    """A consumer that was never started."""

    async def nothing(*_: Any) -> None:
        return None

    made = kind(app.transport, callback=nothing, on_partitions_revoked=nothing, on_partitions_assigned=nothing)
    made._thread.thread_loop.close()  # of the thread that never starts
    app.consumer = made
    app.topics._acking_topics.add(ONE.topic)
    return made


async def fetched(consumer: Any) -> list[tuple[TP, Any]]:
    return [item async for item in consumer.getmany(timeout=0.1)]


async def test_one_message_carries_all_records_of_a_partition_and_the_last_offset(app):
    consumer = consumer_of(app)
    Broker(consumer, {ONE: batch(ONE, 5, 9), OTHER: batch(OTHER, 0, 1)}, {ONE: 5, OTHER: None})
    messages = await fetched(consumer)
    assert [(ONE, 9, [5, 6, 7, 8, 9], 3), (OTHER, 1, [0, 1], 3)] == [
        (tp, message.offset, [record.offset for record in message.value], message.generation_id)
        for tp, message in messages
    ]


async def test_a_rebalance_between_two_partitions_of_a_fetch_drops_the_second(app):
    consumer = consumer_of(app)
    Broker(consumer, {ONE: batch(ONE, 5, 9), OTHER: batch(OTHER, 0, 1)}, {ONE: 5, OTHER: 0})
    got = []
    async for tp, _ in consumer.getmany(timeout=0.1):
        got.append(tp)
        app.consumer_generation_id = 4
    assert [ONE] == got


async def test_a_paused_partition_is_not_handed_over(app):
    consumer = consumer_of(app)
    Broker(consumer, {ONE: batch(ONE, 5, 9), OTHER: batch(OTHER, 0, 1)}, {ONE: 5, OTHER: 0})
    consumer.pause_partitions({ONE})
    assert [OTHER] == [tp for tp, _ in await fetched(consumer)]


async def test_what_a_rebalance_drops_is_fetched_again_from_the_commit_or_else_from_where_it_was(app):
    consumer = consumer_of(app)
    broker = Broker(consumer, {ONE: batch(ONE, 5, 9), OTHER: batch(OTHER, 0, 1)}, {ONE: 5, OTHER: None})
    consumer.stop_flow()
    consumer.can_resume_flow.set()  # as when the fetch had begun before the rebalance did
    assert ([], {ONE: 5, OTHER: 0}) == (await fetched(consumer), broker.sought)


async def test_stock_faust_would_leave_behind_what_was_never_committed(app):
    consumer = consumer_of(app, StockConsumer)
    broker = Broker(consumer, {ONE: batch(ONE, 5, 9), OTHER: batch(OTHER, 0, 1)}, {ONE: 5, OTHER: None})
    consumer.stop_flow()
    consumer.can_resume_flow.set()
    assert ([], {ONE: 5}) == (await fetched(consumer), broker.sought)


def committable(consumer: Any) -> dict[TP, int]:
    return consumer._filter_committable_offsets(list(consumer._acked))


async def test_only_what_is_durable_may_be_committed(app):
    consumer = consumer_of(app)
    Broker(consumer, {ONE: batch(ONE, 5, 9)}, {ONE: 5})
    [(_, message)] = await fetched(consumer)
    consumer.track_message(message)
    assert {} == committable(consumer)
    consumer.durable(ONE, message.offset)
    assert {ONE: 10} == committable(consumer)
    assert {} == committable(consumer), "a commit is asked for once"


async def test_a_commit_never_goes_back(app):
    consumer = consumer_of(app)
    consumer._committed_offset[ONE] = 10
    consumer.durable(ONE, 4)
    assert {} == committable(consumer)
    consumer.durable(ONE, 12)
    consumer.durable(ONE, 11)
    assert {ONE: 13} == committable(consumer)


async def test_nothing_is_committed_while_partitions_change_hands(app):
    consumer = consumer_of(app)
    consumer.durable(ONE, 9)
    app.rebalancing = True
    assert {} == committable(consumer)
    app.rebalancing = False
    assert {ONE: 10} == committable(consumer)


async def test_what_was_stored_under_an_earlier_assignment_is_not_committed_under_the_next(app):
    """Another worker may have owned the partition in between, and have committed more."""
    consumer = consumer_of(app)
    Broker(consumer, {}, {ONE: 63})
    await consumer.on_partitions_revoked({ONE})
    consumer.durable(ONE, 30)  # its write was under way when the partition was revoked
    await consumer.on_partitions_assigned({ONE}, 4)
    assert {} == committable(consumer)


async def test_a_commit_that_a_rebalance_overtakes_is_given_up(app):
    consumer = consumer_of(app)
    broker = Broker(consumer, {}, {ONE: 5})
    assert await consumer._commit_offsets({ONE: 10})

    async def flush() -> None:
        app.consumer_generation_id = 4

    app.producer.flush = flush
    assert not await consumer._commit_offsets({ONE: 12})
    assert [{ONE: 10}] == broker.sent


async def test_the_records_between_two_batches_are_no_reason_to_commit_past_work_in_flight(app):
    consumer = consumer_of(app)
    await consumer._add_gap(ONE, 10, 19)
    consumer.durable(ONE, 9)
    assert {ONE: 10} == committable(consumer)


async def test_stock_faust_commits_past_a_batch_in_flight(app):
    """The second batch, 10 to 19, is being worked on: Faust takes its offsets for a gap that nobody waits for."""
    consumer = consumer_of(app, StockConsumer)
    await consumer._add_gap(ONE, 10, 19)
    first, third = (message_at(app, offset) for offset in (9, 20))
    consumer.ack(first)
    consumer.ack(third)
    assert {ONE: 21} == committable(consumer)


def message_at(app: Any, offset: int) -> Any:
    return consumer_of(app)._to_message(ONE, Fetched(ONE.topic, ONE.partition, offset))


async def skipped(app: Any, consumer: Any) -> dict[TP, int]:
    """What may be committed after Faust has skipped a batch of an earlier generation."""
    app.consumer = consumer
    app.flow_control.resume()
    channel = app.topic(ONE.topic, schema=BatchSchema(), allow_empty=True)
    stream = channel.stream().noack()
    app.topics._topic_name_index[ONE.topic].add(channel)
    old, new = message_at(app, 9), message_at(app, 9)
    app.consumer = consumer
    old.generation_id = 2
    for message in (old, new):
        message.incref()
    old.offset = 99
    for message in (old, new):
        await stream.channel.queue.put(app.create_event(None, [message.offset], None, message))
    async for event in stream.events():
        assert new is event.message
        break
    return committable(consumer)


@pytest.mark.parametrize("compiled", [True, False])
async def test_what_faust_skips_is_not_acknowledged(app, monkeypatch, compiled):
    if not compiled:
        monkeypatch.setattr("faust.streams._CStreamIterator", None)
    assert {} == await skipped(app, consumer_of(app))


async def test_stock_faust_acknowledges_what_it_skips_even_with_noack(app, monkeypatch):
    monkeypatch.setattr("faust.streams._CStreamIterator", None)  # where its compiled part is missing
    assert {ONE: 100} == await skipped(app, consumer_of(app, StockConsumer))


async def test_the_settings_avoid_the_known_hangs(app):
    conf = app.conf
    assert (False, False, False, "memory:") == (
        conf.stream_wait_empty,
        conf.topic_allow_declare,
        conf.web_enabled,
        str(conf.store),
    )
    assert conf.topic_disable_leader
    assert conf.broker_max_poll_interval >= 86_400


def test_a_password_never_travels_in_plain_text():
    outside = KafkaSettings(
        bootstrap="broker.example:9092", security_protocol="SASL_PLAINTEXT", sasl_username="u", sasl_password="p"
    )
    with pytest.raises(Exception, match="SASL_PLAINTEXT"):
        credentials(outside)


def test_a_password_with_tls_keeps_its_tls_context():
    kept = credentials(
        KafkaSettings(
            bootstrap="broker.example:9093", security_protocol="SASL_SSL", sasl_username="u", sasl_password="p"
        )
    )
    assert ("SASL_SSL", True) == (kept.protocol.name, kept.ssl_context is not None)


def test_no_credentials_where_none_are_asked_for():
    assert credentials(KafkaSettings()) is None


THIRD = TP("t.orders.v1", 0)


def test_a_small_backlog_is_taken_whole():
    assert {ONE: 60, OTHER: 40} == shares({ONE: Backlog(60, 9000), OTHER: Backlog(40, 0)}, 100, 5)


def test_of_a_large_backlog_each_partition_gives_in_proportion_to_what_it_holds():
    assert {ONE: 90, OTHER: 10} == shares({ONE: Backlog(9000, 7), OTHER: Backlog(1000, 7)}, 100, 5)
    assert {ONE: 90, OTHER: 10} == shares({ONE: Backlog(9000, 5), OTHER: Backlog(1000, 7)}, 100, inf)


def test_a_partition_gives_less_the_further_it_is_ahead_of_the_last_until_it_waits():
    backlogs = {ONE: Backlog(500, 200), OTHER: Backlog(300, 100), THIRD: Backlog(200, 150)}
    assert {ONE: 25, OTHER: 30, THIRD: 15} == shares(backlogs, 100, 2)
    assert {OTHER: 30} == shares(backlogs, 100, 0.5)


def test_while_the_pace_is_unknown_only_the_last_give():
    assert {OTHER: 50} == shares({ONE: Backlog(500, 1), OTHER: Backlog(500, 0)}, 100, 0)


def test_nothing_is_asked_of_partitions_at_their_end():
    assert {ONE: 100} == shares({ONE: Backlog(500, 9), OTHER: Backlog(0, 1)}, 100, 5)
    assert {} == shares({ONE: Backlog(0, 1)}, 100, 5)


class Assigned:
    """aiokafka's consumer of two partitions, of each of which as much is left."""

    def __init__(self, left: int) -> None:
        self.left = left
        self._fetcher = SimpleNamespace()

    def assignment(self) -> set[TP]:
        return {ONE, OTHER}

    def highwater(self, tp: TP) -> int:
        return self.left

    async def position(self, tp: TP) -> int:
        return 0


async def test_what_was_taken_before_a_partition_failed_is_handed_over_first(app, monkeypatch):
    """aiokafka has moved on behind it: nobody would fetch it again before a restart."""

    async def fetch(_: Any, consumer: Any, partitions: set[TP], timeout: float, most: int) -> Any:  # noqa: ASYNC109
        if partitions == {OTHER}:
            raise OSError("its broker is away")
        return dict.fromkeys(partitions, batch(ONE, 0, most - 1))

    monkeypatch.setattr(AIOKafkaConsumerThread, "_fetch_records", fetch)
    thread = consumer_of(app)._thread
    taken = await thread._fetch_records(Assigned(10), {ONE, OTHER}, 1.0, 100)
    assert {ONE: 10} == {tp: len(records) for tp, records in taken.items()}
    with pytest.raises(OSError, match="away"):
        await thread._fetch_records(Assigned(10), {ONE, OTHER}, 1.0, 100)


async def test_the_broker_holds_a_fetch_no_longer_than_we_say(app):
    consumer = consumer_of(app)._thread._create_worker_consumer(app.transport)
    await consumer.stop()
    assert FETCH_WAIT_MS == consumer._fetch_max_wait_ms


@pytest.mark.parametrize(("left", "rests"), [(49, [TRICKLE_S]), (50, [])], ids=["a trickle", "a backlog"])
async def test_only_what_trickles_in_is_collected_for_a_moment(app, monkeypatch, left, rests):
    """Here, and by aiokafka, which fetches nothing for that long unless what it has fetched is taken."""

    async def fetch(_: Any, consumer: Any, partitions: set[TP], timeout: float, most: int) -> Any:  # noqa: ASYNC109
        return {tp: batch(tp, 0, most - 1) for tp in partitions}

    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(AIOKafkaConsumerThread, "_fetch_records", fetch)
    monkeypatch.setattr("streams.processors.consumer.asyncio.sleep", sleep)
    thread = consumer_of(app)._thread
    for _ in range(2):
        consumer = Assigned(left)
        taken = await thread._fetch_records(consumer, {ONE, OTHER}, 1.0, 1000)
        assert {ONE: left, OTHER: left} == {tp: len(records) for tp, records in taken.items()}
        assert sum(rests) == consumer._fetcher._prefetch_backoff
    assert rests == slept
    assert "_prefetch_backoff" in Fetcher._proc_fetch_request.__code__.co_names


def test_the_pace_is_known_once_something_of_every_partition_was_taken():
    pace = Pace()
    pace.taken = 70
    assert 0 == pace.record_ms([Backlog(10, 5000), Backlog(10, 0)])
    assert 0 == pace.record_ms([Backlog(10, 5000), Backlog(10, 6000), Backlog(0, 0)])
    pace.taken += 100
    assert 20 == pace.record_ms([Backlog(10, 7000), Backlog(10, 9000), Backlog(0, 0)])
