"""The warehouse client against the real engine, through the embedded warehouse."""

from __future__ import annotations

import datetime as dt
import logging
import socket
import threading
from collections.abc import Iterator
from decimal import Decimal

import pyarrow as pa
import pytest
from pydantic import SecretStr
from relays import relay

from streams.clickhouse import TRANSIENT, Warehouse, WarehouseError, WarehouseUnavailable
from streams.embedded.child import free_port
from streams.embedded.warehouse_process import EmbeddedWarehouse
from streams.settings import WarehouseSettings

pytestmark = pytest.mark.connected


@pytest.fixture
def empty(warehouse_server: EmbeddedWarehouse, names: str) -> Iterator[Warehouse]:
    """A warehouse whose two databases have no tables."""
    client = Warehouse(WarehouseSettings(url=warehouse_server.url, database=names))
    client.script("CREATE DATABASE {store}; CREATE DATABASE {db};")
    yield client
    client.script("DROP DATABASE {store}; DROP DATABASE {db};")
    client.close()


@pytest.fixture
def moments(empty: Warehouse) -> str:
    empty.command(
        "CREATE TABLE {store}.moments (n UInt64, at DateTime64(3, 'UTC'), minute DateTime('UTC'), name String, "
        "price Decimal(18, 4), tags Array(String), kind LowCardinality(String) DEFAULT 'plain') "
        "ENGINE = MergeTree ORDER BY n"
    )
    return "{store}.moments"


def test_an_arrow_table_is_inserted_whole_and_read_back(empty: Warehouse, moments: str) -> None:
    moment = dt.datetime(2026, 3, 1, 12, 30, 15, 250_000, tzinfo=dt.UTC)
    count = 200_000
    empty.insert(
        moments,
        pa.table(
            {
                "n": range(count),
                "at": pa.array([moment] * count, pa.timestamp("ms", "UTC")),
                "minute": pa.array([int(moment.timestamp()) // 60 * 60] * count, pa.uint32()),
                "name": ["社区 \\ ' \n"] * count,
                "price": pa.array([Decimal("12.5")] * count, pa.decimal128(18, 4)),
                "tags": [["a", "b"]] * count,
            }
        ),
    )
    assert [(count, count * (count - 1) // 2)] == empty.rows(f"SELECT count(), sum(n) FROM {moments}")
    expected = {
        "n": 7,
        "at": moment,
        "minute": moment.replace(second=0, microsecond=0),
        "name": "社区 \\ ' \n",
        "price": Decimal("12.5"),
        "tags": ["a", "b"],
        "kind": "plain",
    }
    assert [expected] == empty.query(f"SELECT * FROM {moments} WHERE n = {{n:UInt64}}", {"n": 7})
    table = empty.arrow(f"SELECT name, kind, at FROM {moments} WHERE n < {{n:UInt64}} ORDER BY n", {"n": 3})
    assert [{"name": "社区 \\ ' \n", "kind": "plain", "at": moment}] * 3 == table.to_pylist()
    assert (pa.string(), pa.string()) == (table.schema.field("name").type, table.schema.field("kind").type)


def test_an_aware_time_in_a_parameter_is_the_same_moment(empty: Warehouse) -> None:
    moment = dt.datetime(2026, 3, 1, 20, 30, tzinfo=dt.timezone(dt.timedelta(hours=8)))
    assert [(moment.astimezone(dt.UTC),)] == empty.rows("SELECT {at:DateTime('UTC')}", {"at": moment})
    hostile = "x' OR 1=1 -- \\' \t\n\\"
    assert [(hostile,)] == empty.rows("SELECT {text:String}", {"text": hostile})


def test_a_long_list_of_parameters_does_not_travel_in_the_url(empty: Warehouse) -> None:
    ids = [f"{number:036d}" for number in range(2500)]
    assert [(2500,)] == empty.rows("SELECT length({ids:Array(String)})", {"ids": ids})
    empty.command("CREATE TABLE {store}.ids (id String) ENGINE = Memory")
    empty.command("INSERT INTO {store}.ids SELECT arrayJoin({ids:Array(String)})", {"ids": ids})
    assert [(2500,)] == empty.rows("SELECT uniqExact(id) FROM {store}.ids")


def test_no_rows_are_no_rows(empty: Warehouse, moments: str) -> None:
    empty.insert(moments, pa.table({"n": pa.array([], pa.uint64())}))
    assert ([], [], 0) == (
        empty.rows(f"SELECT * FROM {moments}"),
        empty.query(f"SELECT * FROM {moments}"),
        empty.arrow(f"SELECT * FROM {moments}").num_rows,
    )


def test_a_statement_of_several_megabytes_is_run(empty: Warehouse) -> None:
    numbers = ",".join(str(number) for number in range(300_000))
    assert [(300_000, 299_999)] == empty.rows(f"SELECT length(a), a[-1] FROM (SELECT [{numbers}] AS a)")
    assert empty.command("CREATE TABLE {store}.one (n UInt64) ENGINE = Memory") == 0
    assert empty.command(f"INSERT INTO {{store}}.one SELECT arrayJoin([{numbers}])") == 300_000
    assert [(300_000,)] == empty.rows("SELECT count() FROM {store}.one")


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("SELECT * FROM no_such_table", 60),
        ("SELEC 1", 62),
        ("CREATE TABLE {store}.k (a Int8) ENGINE = Kafka('h', 't', 'g', 'CSV')", 344),
        ("INSERT INTO {store}.no_such_table SELECT 1", 60),
    ],
)
def test_a_wrong_statement_is_our_fault(empty: Warehouse, sql: str, code: int) -> None:
    with pytest.raises(WarehouseError) as refused:
        empty.command(sql)
    assert code == refused.value.code
    assert len(str(refused.value)) < 600


def test_a_table_that_does_not_fit_is_our_fault(empty: Warehouse, moments: str) -> None:
    with pytest.raises(WarehouseError):
        empty.insert(moments, pa.table({"no_such_column": [1]}))
    with pytest.raises(WarehouseError):
        empty.insert(moments, pa.table({"n": ["not a number"]}))
    assert [(0,)] == empty.rows(f"SELECT count() FROM {moments}")


@pytest.mark.parametrize(
    ("sql", "settings"),
    [
        ("SELECT sleep(3)", {"max_execution_time": 0.5}),
        ("SELECT groupArray(number) FROM numbers(100000000)", {"max_memory_usage": 10_000_000}),
    ],
)
def test_a_statement_that_ran_out_of_time_or_memory_may_be_tried_again(
    empty: Warehouse, sql: str, settings: dict[str, float]
) -> None:
    with pytest.raises(WarehouseUnavailable):
        empty.rows(sql, settings=settings)


def test_a_warehouse_that_is_not_there_is_unavailable_and_its_password_is_not_shown() -> None:
    settings = WarehouseSettings(
        url=f"http://somebody:hidden1@127.0.0.1:{free_port()}", password=SecretStr("hidden2"), timeout_s=2
    )
    absent = Warehouse(settings)
    with pytest.raises(WarehouseUnavailable) as unavailable:
        absent.wait_ready(timeout_s=0.3)
    assert f"warehouse http://127.0.0.1:{settings.url.rsplit(':', 1)[1]}" in str(unavailable.value)
    assert "hidden" not in str(unavailable.value)


def test_a_server_that_says_nothing_is_unavailable_after_the_time_out() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(WarehouseUnavailable):
            Warehouse(WarehouseSettings(url=url, timeout_s=0.3)).rows("SELECT 1")


def test_a_write_is_answered_when_it_has_ended(empty: Warehouse, moments: str) -> None:
    """Else a server says 200 when there is progress, and an error after it would pass for success."""
    asked: list[tuple[str, bytes]] = []
    with relay(empty.settings.url, asked) as url:
        client = Warehouse(empty.settings.model_copy(update={"url": url}))
        client.insert(moments, pa.table({"n": pa.array([1], pa.uint64())}))
        client.command(f"INSERT INTO {moments} (n) SELECT 2")
        client.command(f"INSERT INTO {moments} (n) SELECT {{n:UInt64}}", {"n": 3})
        client.close()
    assert [(6,)] == empty.rows(f"SELECT sum(n) FROM {moments}")
    writes = [path for path, body in asked if "INSERT" in path or b"INSERT" in body]
    assert [True] * 3 == ["wait_end_of_query=1" in path for path in writes]


def test_one_client_serves_many_threads(empty: Warehouse, moments: str) -> None:
    wrong: list[object] = []

    def work(number: int) -> None:
        for step in range(10):
            n = number * 100 + step
            empty.insert(moments, pa.table({"n": pa.array([n], pa.uint64()), "name": [str(n)]}))
            rows = empty.rows(f"SELECT name FROM {moments} WHERE n = {{n:UInt64}}", {"n": n})
            if rows != [(str(n),)]:
                wrong.append((n, rows))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [] == wrong
    assert [(80,)] == empty.rows(f"SELECT count() FROM {moments}")


def test_a_restarted_warehouse_is_found_again(
    tmp_path_factory: pytest.TempPathFactory, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    directory = tmp_path_factory.mktemp("restarted")
    server = EmbeddedWarehouse(directory).start()
    port = int(server.url.rsplit(":", 1)[1])
    client = Warehouse(WarehouseSettings(url=server.url, timeout_s=5))
    try:
        client.command("CREATE TABLE default.t (n UInt8) ENGINE = MergeTree ORDER BY n")
        client.insert("default.t", pa.table({"n": pa.array([1], pa.uint8())}))
        server.stop()
        with pytest.raises(WarehouseUnavailable):
            client.rows("SELECT 1")
        server = EmbeddedWarehouse(directory, port=port).start()
        client.wait_ready(5)
        assert [(1,)] == client.rows("SELECT n FROM default.t")
    finally:
        server.stop()
        client.close()


def test_the_codes_that_may_be_tried_again_are_called_what_the_engine_calls_them(empty: Warehouse) -> None:
    rows = empty.rows(
        "SELECT arrayJoin({codes:Array(Int32)}) AS code, errorCodeToName(code)", {"codes": list(TRANSIENT)}
    )
    assert list(TRANSIENT.items()) == rows


def test_the_engine_says_that_it_is_the_embedded_one(empty: Warehouse) -> None:
    assert empty.is_embedded()
