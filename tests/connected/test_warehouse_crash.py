"""A killed warehouse keeps what it acknowledged; a directory the engine cannot open is repaired."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pyarrow as pa
import pytest

from streams.clickhouse import Warehouse, WarehouseUnavailable
from streams.embedded.child import ChildFailed
from streams.embedded.directory import ENGINE_DIRECTORY, check_directory, repair_directory
from streams.embedded.warehouse_process import EmbeddedWarehouse
from streams.settings import WarehouseSettings

pytestmark = pytest.mark.connected


def connect(server: EmbeddedWarehouse) -> Warehouse:
    return Warehouse(WarehouseSettings(url=server.url, timeout_s=20))


def test_inserts_that_were_acknowledged_survive_kill_9(tmp_path: Path) -> None:
    server = EmbeddedWarehouse(tmp_path).start()
    client = connect(server)
    client.command("CREATE TABLE default.t (n UInt64) ENGINE = MergeTree ORDER BY n")
    acknowledged = 0
    for _kill in range(3):
        started = threading.Event()

        def kill(pid: int = server.pid, started: threading.Event = started) -> None:
            started.wait()
            time.sleep(0.15)
            os.kill(pid, signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        with pytest.raises(WarehouseUnavailable):
            while True:
                client.insert("default.t", pa.table({"n": range(acknowledged, acknowledged + 1000)}))
                acknowledged += 1000
                started.set()
        killer.join()
        client.close()
        server.kill()
        assert acknowledged > 0
        server = EmbeddedWarehouse(tmp_path).start()
        client = connect(server)
        distinct, greatest = client.rows("SELECT uniqExact(n), max(n) FROM default.t")[0]
        # The insert under way may have been written, whole, without the client having heard of it.
        assert (distinct, greatest + 1) in [(acknowledged, acknowledged), (acknowledged + 1000, acknowledged + 1000)]
    assert [] == list((tmp_path / "spool").iterdir())
    client.close()
    server.stop()


def test_sigterm_lets_running_statements_finish(tmp_path: Path) -> None:
    server = EmbeddedWarehouse(tmp_path).start()
    client = connect(server)
    client.command("CREATE TABLE default.t (n UInt64) ENGINE = MergeTree ORDER BY n")
    done: list[str] = []

    def write() -> None:
        client.command(
            "INSERT INTO default.t SELECT number + sleepEachRow(0.1) FROM numbers(10) SETTINGS max_block_size = 1"
        )
        done.append("written")

    writer = threading.Thread(target=write)
    writer.start()
    other = connect(server)
    while not other.rows("SELECT count() FROM system.processes WHERE query LIKE 'INSERT%sleepEachRow%'")[0][0]:
        time.sleep(0.01)
    other.close()
    server.stop()
    writer.join()
    client.close()
    assert ["written"] == done
    with EmbeddedWarehouse(tmp_path) as again:
        client = connect(again)
        assert [(10,)] == client.rows("SELECT count() FROM default.t")
        client.close()


def test_a_directory_bricked_by_a_kafka_table_is_repaired(tmp_path: Path) -> None:
    with EmbeddedWarehouse(tmp_path) as server:
        client = connect(server)
        client.command("CREATE TABLE default.t (n UInt64) ENGINE = MergeTree ORDER BY n")
        client.insert("default.t", pa.table({"n": [1, 2, 3]}))
        client.close()
    definition = next((tmp_path / ENGINE_DIRECTORY).glob("metadata/default/t.sql"))
    half_made = definition.read_text().replace("MergeTree", "Kafka").replace("ORDER BY n", "").split("\nSETTINGS")[0]
    (definition.parent / "k.sql").write_text(half_made)
    assert 1 == len(check_directory(tmp_path))
    with pytest.raises(ChildFailed, match="ENGINE = Kafka"):
        EmbeddedWarehouse(tmp_path).start()
    assert 1 == len(repair_directory(tmp_path))
    with EmbeddedWarehouse(tmp_path) as server:
        client = connect(server)
        assert [(3,)] == client.rows("SELECT count() FROM default.t")
        client.close()
