"""Migrations run once and in order, go on after a crash, and refuse a history that does not fit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from streams.clickhouse import Warehouse, WarehouseError
from streams.embedded.warehouse_process import EmbeddedWarehouse
from streams.migrations import Applied, MigrationError, load, migrate, status
from streams.settings import MetricsSettings, WarehouseSettings
from streams.sql_files import SqlFilesError, made, sql_root, views

FIRST = """-- title: a log
-- backend: any
CREATE DATABASE IF NOT EXISTS {store};
CREATE TABLE IF NOT EXISTS {store}.log (step String) ENGINE = MergeTree ORDER BY step COMMENT 'one; two';
"""
SECOND = """-- title: three steps
-- backend: embedded
INSERT INTO {store}.log SELECT 'one';
INSERT INTO {store}.log SELECT 'two';
INSERT INTO {store}.log SELECT 'three';
"""
SERVER = """-- title: users
-- backend: server
CREATE USER somebody;
"""


def write(root: Path, **files: str) -> Path:
    """Write `0001_name.sql` for each `m0001_name`, `010_name.sql` into views for each `v010_name`."""
    for name, sql in files.items():
        directory = root / ("migrations" if name.startswith("m") else "views")
        directory.mkdir(exist_ok=True)
        (directory / f"{name[1:]}.sql").write_text(sql)
    return root


def test_the_files_of_this_project_are_read_in_order() -> None:
    numbers = [migration.number for migration in load()]
    assert list(range(1, len(numbers) + 1)) == numbers
    assert "0001_store.sql" == load()[0].name
    assert all(migration.statements for migration in load())


def test_views_name_the_families_that_count(tmp_path: Path) -> None:
    write(tmp_path, v010_a="SELECT {contributing}, {engaged}, {db}")
    engaged = "('message', 'reaction', 'check_in', 'order', 'review', 'hosting')"
    sql = f"SELECT ('message', 'review', 'hosting'), {engaged}, {{db}}"
    assert [("010_a.sql", sql)] == views(tmp_path)


def test_one_setting_says_whom_every_view_counts(tmp_path: Path) -> None:
    write(tmp_path, v010_a="SELECT {counted}", v011_b="SELECT {counted}, 1")
    assert ["SELECT ('human')", "SELECT ('human'), 1"] == [sql for _, sql in views(tmp_path)]
    both = MetricsSettings(counted_actor_kinds=("human", "bot"))
    assert ["SELECT ('human', 'bot')", "SELECT ('human', 'bot'), 1"] == [sql for _, sql in views(tmp_path, both)]


def test_no_view_chooses_its_actors_itself() -> None:
    assert [] == [
        name for name, sql in views() if re.search(r"actor_kind\s*(=|!=|<>)|'human'", sql.replace("('human')", ""))
    ]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"m1_a": FIRST}, "named like"),
        ({"m0001_a": "SELECT 1"}, "needs the lines"),
        ({"m0001_a": FIRST.replace("any", "cloud")}, "needs the lines"),
        ({"m0001_a": FIRST, "m0003_c": SECOND}, "0003_c.sql follows number 0001"),
        ({"m0001_a": FIRST, "m0001_b": SECOND}, "0001_b.sql follows number 0001"),
    ],
)
def test_files_that_cannot_be_ordered_are_refused(tmp_path: Path, files: dict[str, str], message: str) -> None:
    with pytest.raises(MigrationError, match=message):
        load(write(tmp_path, **files))


def test_the_sql_of_an_installed_package_is_found(tmp_path: Path) -> None:
    package = tmp_path / "site" / "streams"
    with pytest.raises(SqlFilesError, match="install the package again"):
        sql_root(package)
    (package / "_sql" / "migrations").mkdir(parents=True)
    assert package / "_sql" == sql_root(package)
    (tmp_path / "site" / "sql" / "migrations").mkdir(parents=True)
    assert tmp_path / "site" / "sql" == sql_root(package)


class Stopped(Exception):
    """The process ended here."""


class StopsAfter:
    """A warehouse whose client dies after a number of commands: the next one never reaches it."""

    def __init__(self, warehouse: Warehouse, commands: int) -> None:
        self._warehouse = warehouse
        self._left = commands

    def command(self, sql: str, *arguments: Any) -> None:
        if self._left == 0:
            raise Stopped
        self._left -= 1
        self._warehouse.command(sql, *arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._warehouse, name)


@pytest.fixture
def bare(warehouse_server: EmbeddedWarehouse, names: str) -> Iterator[Warehouse]:
    """A warehouse without any database of ours."""
    client = Warehouse(WarehouseSettings(url=warehouse_server.url, database=names))
    yield client
    client.script("DROP DATABASE IF EXISTS {db}; DROP DATABASE IF EXISTS {store}")
    client.close()


def steps(warehouse: Warehouse) -> list[str]:
    return [row[0] for row in warehouse.rows("SELECT step FROM {store}.log ORDER BY step")]


@pytest.mark.connected
def test_pending_files_are_applied_once_and_those_for_a_server_are_skipped(bare: Warehouse, tmp_path: Path) -> None:
    root = write(tmp_path, m0001_log=FIRST, m0002_users=SERVER, m0003_steps=SECOND)
    planned = [
        Applied("0001_log.sql", "a log", "applied", 2),
        Applied("0002_users.sql", "users", "skipped", 1),
        Applied("0003_steps.sql", "three steps", "applied", 3),
    ]
    assert planned == migrate(bare, dry_run=True, root=root)
    assert [(0,)] == bare.rows(
        "SELECT count() FROM system.databases WHERE name = {name:String}", {"name": bare.settings.store}
    )
    assert ["pending"] * 3 == [entry.status for entry in status(bare, root)]

    assert planned == migrate(bare, root=root)
    assert [] == migrate(bare, root=root)
    assert ["applied", "skipped", "applied"] == [entry.status for entry in status(bare, root)]
    assert ["one", "three", "two"] == steps(bare)


@pytest.mark.connected
@pytest.mark.parametrize("commands", range(10))
def test_a_run_after_a_crash_goes_on_where_it_stopped(bare: Warehouse, tmp_path: Path, commands: int) -> None:
    root = write(tmp_path, m0001_log=FIRST, m0002_steps=SECOND)
    with pytest.raises(Stopped):
        migrate(StopsAfter(bare, commands), root=root)  # type: ignore[arg-type]
    migrate(bare, root=root)
    assert ["applied", "applied"] == [entry.status for entry in status(bare, root)]
    done = steps(bare)
    # Only the statement whose record was lost may have run twice.
    assert {"one", "two", "three"} == set(done)
    assert len(done) <= 4


@pytest.mark.connected
def test_a_file_that_failed_can_be_corrected(bare: Warehouse, tmp_path: Path) -> None:
    write(tmp_path, m0001_log=FIRST, m0002_steps=SECOND.replace("SELECT 'two'", "SELECT twoo"))
    with pytest.raises(WarehouseError, match="twoo"):
        migrate(bare, root=tmp_path)
    assert [("running", 1)] == [(entry.status, entry.done) for entry in status(bare, tmp_path)[1:]]
    migrate(bare, root=write(tmp_path, m0002_steps=SECOND.replace("SELECT 'one'", "SELECT 'zero'")))
    assert ["one", "three", "two", "zero"] == steps(bare)
    assert ["applied", "applied"] == [entry.status for entry in status(bare, tmp_path)]


@pytest.mark.connected
def test_a_changed_or_missing_file_of_an_applied_migration_is_an_error(bare: Warehouse, tmp_path: Path) -> None:
    migrate(bare, root=write(tmp_path, m0001_log=FIRST, m0002_steps=SECOND))
    write(tmp_path, m0002_steps=SECOND + "-- changed")
    for attempt in (migrate, status):
        with pytest.raises(MigrationError, match=r"0002_steps.sql was changed after it had been applied"):
            attempt(bare, root=tmp_path)
    (tmp_path / "migrations" / "0002_steps.sql").unlink()
    with pytest.raises(MigrationError, match=r"0002_steps.sql applied, which this version does not know"):
        migrate(bare, root=tmp_path)
    bare.command("ALTER TABLE {store}.schema_migrations DELETE WHERE number = 1", settings={"mutations_sync": 2})
    with pytest.raises(MigrationError, match=r"0002 applied but not 0001_log.sql"):
        migrate(bare, root=write(tmp_path, m0002_steps=SECOND))


@pytest.mark.connected
def test_views_are_made_again_each_time(bare: Warehouse, tmp_path: Path) -> None:
    view = "CREATE OR REPLACE VIEW {db}.steps AS SELECT step, 'first' AS version FROM {store}.log"
    root = write(tmp_path, m0001_log=FIRST + "CREATE DATABASE IF NOT EXISTS {db};", m0002_steps=SECOND, v010_steps=view)
    migrate(bare, root=root)
    migrate(bare, root=write(tmp_path, v010_steps=view.replace("first", "second")))
    assert [("one", "second")] == bare.rows("SELECT * FROM {db}.steps WHERE step = 'one'")


@pytest.mark.connected
def test_the_schema_of_this_project_is_applied_whole(warehouse: Warehouse) -> None:
    assert {"applied", "skipped"} >= {entry.status for entry in status(warehouse)}
    assert [] == migrate(warehouse)
    undocumented = warehouse.rows(
        "SELECT name FROM system.tables WHERE database = {name:String} AND comment = '' "
        "UNION ALL SELECT table || '.' || name FROM system.columns WHERE database = {name:String} AND comment = ''",
        {"name": warehouse.settings.store},
    )
    assert [] == undocumented


FORGOTTEN = {
    # What members wrote; facts without it stay, and so do aggregates.
    ("events", "text"): "toDateTime(ingested_at) + toIntervalDay(400)",
    ("events", "extra"): "toDateTime(ingested_at) + toIntervalDay(400)",
    # Records as they came, so with what members wrote too.
    ("dead_letters", ""): "toDateTime(ingested_at) + toIntervalDay(90)",
}
"""Table and column, or the whole row: until when it is kept. Everything else is kept for ever."""


@pytest.mark.connected
def test_what_members_wrote_is_forgotten_in_time_and_nothing_else(warehouse: Warehouse) -> None:
    tables = warehouse.rows(
        "SELECT name, create_table_query FROM system.tables "
        "WHERE database = {name:String} AND engine LIKE '%MergeTree'",
        {"name": warehouse.settings.store},
    )
    found, column = {}, ""
    for table, created in tables:
        for name, engine, until in re.findall(
            r"`(\w+)` |(\) ENGINE = )| TTL (.+?)(?=, `|\) ENGINE = | SETTINGS )", created
        ):
            column = "" if engine else name or column
            if until:
                found[table, column] = until
    assert FORGOTTEN == found


def test_views_that_say_so_are_planned_with_what_they_read() -> None:
    said = {file: re.findall(r"^-- plan: (.*)$", sql, re.MULTILINE) for file, sql in views()}
    inline = {file for file, sql in views() if "analyzer_inline_views = 1" in made(sql)}

    assert all(plans in ([], ["inline"]) for plans in said.values()), said
    assert {file for file, plans in said.items() if plans} == inline
    assert "201_ladder_history.sql" in inline
