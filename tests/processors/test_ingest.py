"""Ingest on the real engine: what is written in which order, and what progress says of it."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime, timedelta
from functools import partial

import numpy as np
import pytest
from pipeline import Crash, Faults, Lab, Log

from streams.processors.progress import FULL_S, Progress

pytestmark = pytest.mark.connected

NOON = datetime(2024, 3, 10, 12, tzinfo=UTC)


def publish(lab: Lab, log: Log, world: str, minutes: list[int], family: str = "message") -> None:
    for minute in minutes:
        event = {
            "event_id": f"e{minute}",
            "type": family,
            "platform": "wechat",
            "community_id": f"{world}tea",
            "member_id": "ann",
            "occurred_at": (NOON + timedelta(minutes=minute)).isoformat(),
            "text": "hello",
        }
        received_ms = int((NOON + timedelta(days=1)).timestamp() * 1000)
        log.append(lab.topic(family), f"{world}tea/ann".encode(), json.dumps(event).encode(), received_ms)


def test_facts_then_dead_letters_then_invalidations_and_only_then_the_acknowledgement(lab: Lab) -> None:
    world, log = lab.world(), Log(partitions=1)
    publish(lab, log, world, [1])
    log.append(lab.topic("message"), b"k", b"{", 1)
    worker = lab.worker(log)
    lab.run(worker.take_in())
    assert [
        "insert events",
        "insert event_keys",
        "insert dead_letters",
        "publish dead_letters.v1",
        "publish invalidations.v1",
        "acknowledge events",
    ] == worker.faults.names


@pytest.mark.parametrize("kind", ["refused", "reply lost"])
def test_a_warehouse_that_is_away_is_waited_for_and_never_makes_a_dead_letter(lab: Lab, kind: str) -> None:
    for write in range(2):
        world, log = lab.world(), Log(partitions=1)
        publish(lab, log, world, [1, 2])
        worker = lab.worker(log, Faults(write, kind))  # type: ignore[arg-type]
        lab.run(worker.take_in())
        rows = lab.warehouse.rows(f"SELECT count() FROM {{db}}.events WHERE community_id = '{world}tea'")
        assert ([(2,)], 2, []) == (rows, log.committed[lab.topic("message"), 0], log.of(lab.dead_letter_topic))
        assert worker.faults.fired


def test_what_the_broker_does_not_take_is_not_acknowledged(lab: Lab) -> None:
    log = Log(partitions=1)
    publish(lab, log, lab.world(), [1])
    worker = lab.worker(log, Faults(2))
    with pytest.raises(Crash, match=r"invalidations\.v1"):
        lab.run(worker.take_in())
    assert 0 == log.committed[lab.topic("message"), 0]


def test_the_watermark_speaks_of_what_is_stored_not_of_what_is_decoded(lab: Lab) -> None:
    """The next block is decoded while this one is written."""
    log, topic = Log(partitions=1), lab.topic("message")
    publish(lab, log, lab.world(), [1, 2])
    worker = lab.worker(log)
    first, second = (lab.run(worker.ingest.decode(worker.fetch([topic], 1))) for _ in range(2))

    def watermark() -> datetime:
        rows = worker.progress.table([(topic, 0)], NOON).to_pylist()
        return rows[0]["watermark"]

    assert [] == worker.progress.take_changed()
    lab.run(worker.ingest.write(first))
    assert NOON + timedelta(seconds=50) == watermark()
    lab.run(worker.ingest.write(second))
    assert NOON + timedelta(seconds=110) == watermark()


def test_a_worker_that_takes_over_holds_the_watermark_until_it_has_read_what_is_left(lab: Lab) -> None:
    log, topic = Log(partitions=2), lab.topic("message")
    insert = partial(lab.warehouse.insert, lab.warehouse.render("{store}.progress"))

    def watermark() -> datetime | None:
        [(found,)] = lab.warehouse.rows("SELECT watermark FROM {db}.pipeline_watermark")
        return found and found.replace(tzinfo=UTC)

    def write(progress: Progress, now: datetime) -> None:
        insert(progress.table(progress.take_changed(), now))

    lab.warehouse.command("TRUNCATE TABLE {store}.progress")
    try:
        publish(lab, log, lab.world(), [1])
        worker = lab.worker(log)
        lab.run(worker.take_in())
        write(worker.progress, NOON)
        behind = watermark()
        assert behind is not None

        after = Progress(disorder_s=0)
        after.assign({(topic, 0): None, (topic, 1): None}, now=0)
        for partition in (0, 1):
            after.ended((topic, partition), 9, now=0)
        later = behind + timedelta(hours=1)
        after.observe_events((topic, 1), np.array([int(later.timestamp() * 1000)]))
        write(after, NOON + timedelta(seconds=1))
        assert behind == watermark()

        after.observe_events((topic, 0), np.array([int(later.timestamp() * 1000)]))
        after.stored((topic, 0), 9, now=1)
        write(after, NOON + timedelta(seconds=2))
        assert later == watermark()
    finally:
        lab.warehouse.command("TRUNCATE TABLE {store}.progress")


def test_a_partition_of_which_nothing_was_stored_says_nothing_of_the_watermark(lab: Lab) -> None:
    progress = Progress(disorder_s=0)
    progress.ended((lab.topic("message"), 0), 9, now=0)
    lab.warehouse.command("TRUNCATE TABLE {store}.progress")
    lab.warehouse.insert(lab.warehouse.render("{store}.progress"), progress.table(progress.take_changed(), NOON))
    assert [(None,)] == lab.warehouse.rows("SELECT watermark FROM {db}.pipeline_watermark")
    assert [] == lab.warehouse.rows("SELECT * FROM {db}.pipeline_freshness")


def test_a_batch_of_an_earlier_assignment_is_neither_decoded_nor_acknowledged(lab: Lab) -> None:
    log, topic = Log(partitions=1), lab.topic("message")
    world = lab.world()
    publish(lab, log, world, [1, 2])
    worker = lab.worker(log)
    one, two = worker.fetch([topic], 1), worker.fetch([topic], 1)
    block = lab.run(worker.ingest.decode(one))
    worker.told = True
    # Decoded before the partition went away: written, because that harms nobody; not acknowledged.
    lab.run(worker.ingest.write(block))
    assert [] == lab.run(worker.ingest.decode(two)).decoded
    assert (0, []) == (log.committed[topic, 0], worker.progress.take_changed())
    lab.drain(log)
    rows = lab.warehouse.rows(f"SELECT count() FROM {{db}}.events WHERE community_id = '{world}tea'")
    assert ([(2,)], 2) == (rows, log.committed[topic, 0])


def test_several_partitions_and_families_share_one_insert(lab: Lab) -> None:
    log = Log(place=lambda key: key[-1] % 3)
    world = lab.world()
    for family in ("message", "check_in"):
        for minute in range(6):
            event = {
                "event_id": f"{family} {minute}",
                "type": family,
                "platform": "wechat",
                "community_id": f"{world}tea",
                "member_id": f"m{minute}",
                "occurred_at": NOON.isoformat(),
                "text": "x",
            }
            log.append(lab.topic(family), f"m{minute}".encode(), json.dumps(event).encode(), 0)
    worker = lab.worker(log)
    lab.run(worker.take_in())
    assert ["insert events", "insert event_keys", "publish invalidations.v1"] == worker.faults.names[:3]
    assert ["acknowledge events"] * 6 == worker.faults.names[3:]


def test_a_block_grows_while_the_one_before_it_waits_to_be_written(lab: Lab) -> None:
    log, topic = Log(partitions=1), lab.topic("message")
    publish(lab, log, lab.world(), [1, 2, 3])
    worker = lab.worker(log)
    ingest = worker.ingest
    ingest.settings = lab.settings.model_copy(
        update={"ingest": lab.settings.ingest.model_copy(update={"linger_s": 0.01})}
    )
    lingered = 50.0  # of this loop, which is a thousand times as quick

    async def gathered() -> tuple[int, bool, int]:
        waiting, first, second = (worker.fetch([topic], 1) for _ in range(3))
        await ingest.offer(first[0])
        alone = len(await ingest.gather())
        await ingest.blocks.put(await ingest.decode(waiting))
        await ingest.offer(first[0])
        gathering = asyncio.ensure_future(ingest.gather())
        await asyncio.sleep(lingered)
        done = gathering.done()
        await ingest.offer(second[0])
        await asyncio.sleep(lingered)
        ingest.blocks.get_nowait()
        return alone, done, len(await gathering)

    assert (1, False, 2) == lab.run(gathered())


@pytest.mark.parametrize("limit", ["max_rows", "max_bytes"])
def test_a_backlog_ends_with_a_small_block_after_full_ones(lab: Lab, limit: str) -> None:
    log, topic = Log(partitions=1), lab.topic("message")
    publish(lab, log, lab.world(), list(range(1, 13)))
    ingest = (worker := lab.worker(log)).ingest
    most = 4 if limit == "max_rows" else 4 * len(log.of(topic)[0].value or b"")
    ingest.settings = lab.settings.model_copy(update={"ingest": lab.settings.ingest.model_copy(update={limit: most})})

    def after(records: int) -> str:
        lab.run(ingest.write(lab.run(ingest.decode(worker.fetch([topic], records)))))
        return worker.progress.backlog(time.monotonic())

    said = ["none", "none", "read", "ended", "read", "ended"]
    assert said == [after(records) for records in (3, 1, 4, 1, 2, 1)]
    assert "none" == worker.progress.backlog(time.monotonic() + FULL_S)


def test_a_small_block_ends_no_backlog_while_much_is_left(lab: Lab) -> None:
    log, topic = Log(partitions=1), lab.topic("message")
    publish(lab, log, lab.world(), [1])
    progress, ingest = (worker := lab.worker(log)).progress, worker.ingest
    progress.wrote(1, 0, time.monotonic())
    progress.ended((topic, 0), ingest.settings.ingest.max_rows, time.monotonic())
    lab.run(ingest.write(lab.run(ingest.decode(worker.fetch([topic], 1)))))
    assert "read" == progress.backlog(time.monotonic())
