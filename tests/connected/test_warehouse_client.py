"""The warehouse client against the real engine, through the embedded warehouse."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest

from streams.clickhouse import Warehouse

pytestmark = pytest.mark.connected


@pytest.fixture
def numbers(warehouse: Warehouse) -> str:
    warehouse.command(
        "CREATE TABLE {store}.numbers (n UInt64, at DateTime64(3, 'UTC'), name String) ENGINE = MergeTree ORDER BY n"
    )
    return "{store}.numbers"


def test_an_arrow_table_is_inserted_whole_and_read_back(warehouse: Warehouse, numbers: str) -> None:
    moment = dt.datetime(2026, 3, 1, 12, 30, 15, 250_000, tzinfo=dt.UTC)
    count = 200_000
    warehouse.insert(numbers, pa.table({"n": range(count), "at": pa.array([moment] * count), "name": ["社区"] * count}))

    expected = [{"rows": count, "total": count * (count - 1) // 2, "at": moment, "name": "社区"}]
    actual = warehouse.query(
        f"SELECT count() AS rows, sum(n) AS total, max(at) AS at, any(name) AS name FROM {numbers}"
    )
    assert expected == actual
