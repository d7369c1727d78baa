"""Schema of the warehouse: numbered SQL files applied once and in order, then the views, recreated each time."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from streams import statements
from streams.catalog import comments
from streams.clickhouse import Warehouse, WarehouseError
from streams.settings import MetricsSettings
from streams.sql_files import SqlFilesError, made, sql_root, views

_FILE_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")
_META = re.compile(r"^--\s*(title|backend):\s*(.+?)\s*$", re.MULTILINE)
_BACKENDS = ("any", "server", "embedded")
_DEFAULT = MetricsSettings()

_BOOTSTRAP = """
CREATE DATABASE IF NOT EXISTS {store};

CREATE TABLE IF NOT EXISTS {store}.schema_migrations
(
    number     UInt32                        COMMENT 'Number of the file in sql/migrations',
    name       String                        COMMENT 'Name of the file',
    checksum   FixedString(64)               COMMENT 'SHA-256 of the file, in hexadecimal',
    statements UInt32                        COMMENT 'Statements in the file',
    done       UInt32                        COMMENT 'Statements that were run: smaller than statements after a crash',
    status     Enum8('running' = 1, 'applied' = 2, 'skipped' = 3) COMMENT 'skipped: for another kind of engine',
    changed_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When this state was reached (warehouse clock)'
)
ENGINE = ReplacingMergeTree
ORDER BY (number, status, done)
COMMENT 'Which migrations were applied. The row with the greatest (status, changed_at, done) of a number is its state';
"""

Status = Literal["applied", "skipped", "running", "pending"]


class MigrationError(SqlFilesError):
    """The files and the record of what was applied do not fit together; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file of sql/migrations."""

    number: int
    name: str
    title: str
    backend: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the file in hexadecimal."""
        return hashlib.sha256(self.sql.encode()).hexdigest()

    @property
    def statements(self) -> list[str]:
        """Statements of the file, placeholders and all."""
        return statements.split(self.sql)


@dataclass(frozen=True, slots=True)
class Applied:
    """What happened, or would happen, to one file: `done` of `statements` were run before, the rest now."""

    name: str
    title: str
    status: Status
    statements: int
    done: int = 0


@dataclass(frozen=True, slots=True)
class _Record:
    name: str
    checksum: str
    status: Status
    done: int


def load(root: Path | None = None) -> list[Migration]:
    """The migrations under `root`, in order. Raises `MigrationError` for a wrong name, a missing line or a gap."""
    found = []
    for path in sorted(((root or sql_root()) / "migrations").glob("*.sql")):
        match = _FILE_NAME.fullmatch(path.name)
        if not match:
            raise MigrationError(f"{path} must be named like 0007_what_it_does.sql")
        sql = path.read_text()
        meta = dict(_META.findall(sql))
        if not meta.get("title") or meta.get("backend") not in _BACKENDS:
            raise MigrationError(f"{path} needs the lines `-- title: ...` and `-- backend: {'|'.join(_BACKENDS)}`")
        found.append(Migration(int(match.group(1)), path.name, meta["title"], meta["backend"], sql))
    for expected, migration in enumerate(found, start=1):
        if migration.number != expected:
            raise MigrationError(
                f"{migration.name} follows number {expected - 1:04d}; numbers must be consecutive and unique"
            )
    return found


def migrate(
    warehouse: Warehouse, dry_run: bool = False, root: Path | None = None, metrics: MetricsSettings = _DEFAULT
) -> list[Applied]:
    """Apply what is pending, then recreate the views; returns one entry a file that was (or would be) touched.

    The views count what `metrics` says, and are explained in the words of the catalog. Raises `MigrationError` before
    anything is changed when the record and the files disagree.
    """
    touched = migrate_tables(warehouse, dry_run, root)
    if not dry_run:
        for name, sql in views(root, metrics):
            try:
                warehouse.script(made(sql))
            except WarehouseError as error:
                raise WarehouseError(f"sql/views/{name}: {error}", error.code) from error
        _explain(warehouse)
    return touched


def migrate_tables(warehouse: Warehouse, dry_run: bool = False, root: Path | None = None) -> list[Applied]:
    """What `migrate` does, without the views: a worker needs none.

    Each statement is recorded when it was run, so that a run after a crash goes on where it stopped; the one it stopped
    in is run again, hence statements must be repeatable (`IF NOT EXISTS`).
    """
    migrations = load(root)
    records = _records(warehouse)
    _compare(migrations, records)
    embedded = warehouse.is_embedded()
    if not dry_run:
        warehouse.script(_BOOTSTRAP)
    touched = []
    for migration in migrations:
        record = records.get(migration.number)
        if record and record.status in ("applied", "skipped"):
            continue
        skipped = migration.backend not in ("any", "embedded" if embedded else "server")
        # A file that did not get to its end may be corrected, and then begins again.
        done = record.done if record and record.checksum == migration.checksum else 0
        parts = migration.statements
        touched.append(
            Applied(
                migration.name, migration.title, "skipped" if skipped else "applied", len(parts), 0 if skipped else done
            )
        )
        if dry_run:
            continue
        if skipped:
            _note(warehouse, migration, 0, "skipped")
            continue
        for index, statement in enumerate(parts[done:], start=done + 1):
            warehouse.command(statement)
            _note(warehouse, migration, index, "applied" if index == len(parts) else "running")
        if done >= len(parts):
            _note(warehouse, migration, done, "applied")
    return touched


def status(warehouse: Warehouse, root: Path | None = None) -> list[Applied]:
    """Every file with its state. Raises `MigrationError` when the record and the files disagree."""
    migrations = load(root)
    records = _records(warehouse)
    _compare(migrations, records)
    result = []
    for migration in migrations:
        record = records.get(migration.number)
        result.append(
            Applied(
                migration.name,
                migration.title,
                record.status if record else "pending",
                len(migration.statements),
                record.done if record else 0,
            )
        )
    return result


def _explain(warehouse: Warehouse) -> None:
    """Put the words of the catalog on every view it knows; a column it does not, says what the stored one says."""
    known = set(comments.views())
    rows = warehouse.rows(
        "SELECT t.name, groupArrayIf((c.name, s.comment), c.name != '') FROM system.tables AS t "
        "LEFT JOIN system.columns AS c ON c.database = t.database AND c.table = t.name "
        "LEFT JOIN system.columns AS s ON s.database = {store:String} AND s.table = c.table AND s.name = c.name "
        "WHERE t.database = {name:String} GROUP BY t.name ORDER BY t.name",
        {"name": warehouse.settings.database, "store": warehouse.settings.store},
    )
    for view, columns in rows:
        if view in known:
            warehouse.command(comments.statement(view, dict(columns)))


def _records(warehouse: Warehouse) -> dict[int, _Record]:
    known = warehouse.rows(
        "SELECT count() FROM system.tables WHERE database = {name:String} AND name = 'schema_migrations'",
        {"name": warehouse.settings.store},
    )
    if not known[0][0]:
        return {}
    rows = warehouse.rows(
        "SELECT number, argMax((name, toString(checksum), toString(status), done), (status, changed_at, done)) "
        "FROM {store}.schema_migrations GROUP BY number ORDER BY number"
    )
    return {number: _Record(*state) for number, state in rows}


def _compare(migrations: list[Migration], records: dict[int, _Record]) -> None:
    files = {migration.number: migration for migration in migrations}
    for number, record in records.items():
        migration = files.get(number)
        if migration is None:
            raise MigrationError(
                f"the warehouse has {record.name} applied, which this version does not know. "
                "Install the version that wrote it, or a newer one."
            )
        if record.checksum != migration.checksum and record.status != "running":
            raise MigrationError(
                f"{migration.name} was changed after it had been applied (as {record.name}). "
                "Restore it and put the change into a new file with the next number."
            )
    newest = max(records, default=0)
    missing = [files[number].name for number in range(1, newest) if number not in records]
    if missing:
        raise MigrationError(
            f"the warehouse has number {newest:04d} applied but not {', '.join(missing)}; restore its record"
        )


def _note(warehouse: Warehouse, migration: Migration, done: int, state: Status) -> None:
    warehouse.command(
        "INSERT INTO {store}.schema_migrations (number, name, checksum, statements, done, status) "
        "VALUES ({number:UInt32}, {name:String}, {checksum:String}, {statements:UInt32}, {done:UInt32}, "
        "{state:String})",
        {
            "number": migration.number,
            "name": migration.name,
            "checksum": migration.checksum,
            "statements": len(migration.statements),
            "done": done,
            "state": state,
        },
    )
