"""What one test leaves in its databases, no other finds in those it is lent."""

from __future__ import annotations

from pathlib import Path

import pytest
from databases import Databases

from streams.clickhouse import Warehouse
from streams.embedded.warehouse_process import EmbeddedWarehouse
from streams.settings import MetricsSettings

pytestmark = pytest.mark.connected

TABLES = """-- title: two tables, one of them with a row
-- backend: any
CREATE DATABASE IF NOT EXISTS {store};
CREATE DATABASE IF NOT EXISTS {db};
CREATE TABLE IF NOT EXISTS {store}.facts (n UInt64) ENGINE = MergeTree ORDER BY n;
CREATE TABLE IF NOT EXISTS {store}.rules (n UInt64) ENGINE = MergeTree ORDER BY n;
INSERT INTO {store}.rules VALUES (1);
"""
VIEW = "CREATE OR REPLACE VIEW {db}.facts AS SELECT n FROM {store}.facts"


@pytest.fixture
def databases(warehouse_server: EmbeddedWarehouse, tmp_path: Path) -> Databases:
    for name, sql in (("migrations/0001_tables.sql", TABLES), ("views/010_facts.sql", VIEW)):
        file = tmp_path / name
        file.parent.mkdir()
        file.write_text(sql)
    return Databases(warehouse_server, MetricsSettings(), tmp_path)


def contents(warehouse: Warehouse) -> list[list[tuple[object, ...]]]:
    """Definitions, and what is in the tables, whatever the databases are called."""
    said = warehouse.rows(
        "SELECT name, replaceAll(create_table_query, {db:String}, 'db') FROM system.tables "
        "WHERE database IN ({db:String}, {store:String}) ORDER BY ALL",
        {"db": warehouse.settings.database, "store": warehouse.settings.store},
    )
    return [said, *(warehouse.rows(f"SELECT n FROM {{store}}.{table} ORDER BY n") for table in ("facts", "rules"))]


@pytest.mark.parametrize(
    "left",
    [
        "INSERT INTO {store}.facts VALUES (1)",
        "INSERT INTO {store}.rules VALUES (2)",
        "TRUNCATE TABLE {store}.rules",
        "CREATE TABLE {store}.more ENGINE = MergeTree ORDER BY n AS SELECT 7 AS n",
        "CREATE VIEW {db}.more AS SELECT 7 AS n",
        "CREATE OR REPLACE VIEW {db}.facts AS SELECT n + 1 AS n FROM {store}.facts",
        "ALTER TABLE {db}.facts MODIFY COMMENT 'of somebody'",
        "DROP VIEW {db}.facts",
    ],
)
def test_what_a_test_leaves_no_other_finds(databases: Databases, left: str) -> None:
    with databases.lend() as first:
        fresh = contents(first)
        assert [[], [(1,)]] == fresh[1:]
        first.command(left)
        assert fresh != contents(first)
    with databases.lend() as second:
        assert fresh == contents(second)


def test_what_is_written_after_databases_were_given_back_is_not_found(databases: Databases) -> None:
    with databases.lend() as first:
        late = Warehouse(first.settings)
    late.command("INSERT INTO {store}.facts VALUES (1)")
    late.close()
    with databases.lend() as second:
        assert [[], [(1,)]] == contents(second)[1:]


def test_databases_are_lent_to_one_at_a_time_and_then_again(databases: Databases) -> None:
    with databases.lend() as first, databases.lend() as second:
        names = {first.settings.database, second.settings.database}
        assert 2 == len(names)
    with databases.lend() as third:
        assert third.settings.database in names
