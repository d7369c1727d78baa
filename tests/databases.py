"""Migrated databases of one warehouse, lent to one test after another: to migrate takes longer than most tests do."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from streams.clickhouse import Warehouse
from streams.embedded.warehouse_process import EmbeddedWarehouse
from streams.migrations import load, migrate
from streams.settings import MetricsSettings, WarehouseSettings


class Databases:
    """Lends databases as `migrate` leaves them; what comes back is emptied."""

    def __init__(self, server: EmbeddedWarehouse, metrics: MetricsSettings, root: Path | None = None) -> None:
        self._server = server
        self._metrics = metrics
        self._root = root
        self._free: list[str] = []
        self._fresh: dict[str, int] = {}

    @contextmanager
    def lend(self) -> Iterator[Warehouse]:
        """A warehouse on databases that nobody else uses meanwhile; whatever the borrower started must have ended."""
        name = self._free.pop() if self._free else self._make()
        client = self._client(name)
        if _fingerprint(client) != self._fresh[name]:  # written to later, or other tables and views
            client.script("DROP DATABASE {db}; DROP DATABASE {store}")
            client.close()
            name = self._make()
            client = self._client(name)
        yield client
        self._empty(client)
        client.close()
        self._free.append(name)

    def _client(self, name: str) -> Warehouse:
        return Warehouse(WarehouseSettings(url=self._server.url, database=name))

    def _make(self) -> str:
        name = f"t{secrets.token_hex(4)}"
        client = self._client(name)
        migrate(client, root=self._root, metrics=self._metrics)
        self._fresh[name] = _fingerprint(client)
        client.close()
        return name

    def _empty(self, warehouse: Warehouse) -> None:
        """Take out what tables hold, and put back the rows that migrations bring."""
        filled = warehouse.rows(
            "SELECT name FROM system.tables "
            "WHERE database = {store:String} AND total_rows > 0 AND name != 'schema_migrations'",
            {"store": warehouse.settings.store},
        )
        for (table,) in filled:
            warehouse.command(f"TRUNCATE TABLE {{store}}.{table}")
        for migration in load(self._root):
            for statement in migration.statements:
                if statement.startswith("INSERT"):
                    warehouse.command(statement)


def _fingerprint(warehouse: Warehouse) -> int:
    """Of every table and view: its definition, and how many rows it holds."""
    [(found,)] = warehouse.rows(
        "SELECT groupBitXor(cityHash64(database, name, create_table_query, ifNull(total_rows, 0))) "
        "FROM system.tables WHERE database IN ({db:String}, {store:String})",
        {"db": warehouse.settings.database, "store": warehouse.settings.store},
    )
    return int(found)
