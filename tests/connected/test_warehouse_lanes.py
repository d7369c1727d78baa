"""Readers, however slow and many, neither stop inserts nor the pipeline's own reads; whoever leaves frees the place."""

from __future__ import annotations

import threading
import time

import pyarrow as pa
import pytest
import urllib3

from streams.clickhouse import Warehouse, WarehouseUnavailable
from streams.embedded.warehouse_process import EmbeddedWarehouse
from streams.settings import WarehouseSettings

pytestmark = pytest.mark.connected

HEAVY = "SELECT uniqExact(cityHash64(number, {salt:UInt64})) FROM numbers(400000)"
ENDLESS = "SELECT sum(sleepEachRow(1)) FROM numbers(60) SETTINGS max_block_size = 1"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> EmbeddedWarehouse:
    with EmbeddedWarehouse(tmp_path_factory.mktemp("lanes")) as server:
        yield server


@pytest.fixture
def pipeline(server: EmbeddedWarehouse) -> Warehouse:
    client = Warehouse(WarehouseSettings(url=server.url, timeout_s=15))
    client.command("CREATE OR REPLACE TABLE default.t (n UInt64, s String) ENGINE = MergeTree ORDER BY n")
    yield client
    client.close()


def block(start: int) -> pa.Table:
    return pa.table({"n": range(start, start + 5000), "s": [f"row {n}" for n in range(start, start + 5000)]})


def running(client: Warehouse) -> int:
    return int(
        client.rows(
            "SELECT count() FROM system.processes WHERE query LIKE '%sleepEachRow%' AND query NOT LIKE '%processes%'"
        )[0][0]
    )


def test_inserts_go_on_while_eight_readers_keep_every_reading_thread_busy(
    server: EmbeddedWarehouse, pipeline: Warehouse
) -> None:
    stop = threading.Event()
    answers: list[int] = []
    failures: list[Exception] = []

    def read(salt: int) -> None:
        client = Warehouse(WarehouseSettings(url=server.url, timeout_s=60), interactive=True)
        try:
            while not stop.is_set():
                answers.append(int(client.rows(HEAVY, {"salt": salt})[0][0]))
        except Exception as error:
            failures.append(error)
        finally:
            client.close()

    readers = [threading.Thread(target=read, args=(salt,)) for salt in range(8)]
    for reader in readers:
        reader.start()
    while not answers and not failures:
        time.sleep(0.01)
    answered_before = len(answers)
    counts: list[int] = []
    # Until both have made progress at the same time: neither waits for the other to end.
    while (len(counts) < 20 or len(answers) < answered_before + 4) and not failures:
        pipeline.insert("default.t", block(len(counts) * 5000))
        counts.append(int(pipeline.rows("SELECT count() FROM default.t")[0][0]))
    stop.set()
    for reader in readers:
        reader.join()

    assert [] == failures
    assert [5000 * (number + 1) for number in range(len(counts))] == counts
    assert {400_000} == set(answers)


def test_the_pipeline_reads_while_people_occupy_every_reading_thread(
    server: EmbeddedWarehouse, pipeline: Warehouse
) -> None:
    def wait_for_ever() -> None:
        person = Warehouse(WarehouseSettings(url=server.url, timeout_s=60), interactive=True)
        with pytest.raises(WarehouseUnavailable):
            person.rows(ENDLESS)
        person.close()

    people = [threading.Thread(target=wait_for_ever) for _ in range(6)]
    for person in people:
        person.start()
    try:
        while running(pipeline) < 4:
            time.sleep(0.02)
        pipeline.insert("default.t", block(0))
        assert [(5000,)] == pipeline.rows("SELECT count() FROM default.t")
        assert 4 == running(pipeline)
    finally:
        while any(person.is_alive() for person in people):
            pipeline.command("KILL QUERY WHERE query LIKE '%sleepEachRow%' AND query_id != queryID() SYNC")
        for person in people:
            person.join()


def test_a_read_whose_client_has_gone_is_ended(server: EmbeddedWarehouse, pipeline: Warehouse) -> None:
    with urllib3.PoolManager() as impatient, pytest.raises(urllib3.exceptions.TimeoutError):
        impatient.request("POST", server.url, body=ENDLESS.encode(), timeout=0.5, retries=False)
    deadline = time.monotonic() + 10
    while running(pipeline):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_too_many_statements_are_turned_away_and_may_come_again(server: EmbeddedWarehouse, pipeline: Warehouse) -> None:
    statuses: list[int] = []

    def ask() -> None:
        with urllib3.PoolManager() as pool:
            answer = pool.request(
                "POST", server.url, body=b"SELECT sum(sleepEachRow(0.05)) FROM numbers(4)", timeout=60, retries=False
            )
            statuses.append(answer.status)

    crowd = [threading.Thread(target=ask) for _ in range(80)]
    for person in crowd:
        person.start()
    for person in crowd:
        person.join()
    assert {200, 503} == set(statuses)
    assert statuses.count(200) >= 64
    assert [(1,)] == pipeline.rows("SELECT 1")
