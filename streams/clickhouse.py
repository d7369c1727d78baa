"""The warehouse as the pipeline sees it: clickhouse-connect over HTTP, to a server or to the embedded warehouse."""

from __future__ import annotations

import math
import re
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

import clickhouse_connect
import pyarrow as pa
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, DataError, NotSupportedError, ProgrammingError
from clickhouse_connect.driver.summary import QuerySummary
from urllib3 import PoolManager

from streams import statements, tls
from streams.embedded.warehouse_process import PIPELINE, PRIORITY_HEADER
from streams.settings import WarehouseSettings

Parameters = Mapping[str, Any]
SettingValues = Mapping[str, str | int | float | bool]

# Codes after which the same statement may well succeed: nothing is wrong with it.
TRANSIENT = {
    159: "TIMEOUT_EXCEEDED",
    160: "TOO_SLOW",
    173: "CANNOT_ALLOCATE_MEMORY",
    201: "QUOTA_EXCEEDED",
    202: "TOO_MANY_SIMULTANEOUS_QUERIES",
    203: "NO_FREE_CONNECTION",
    209: "SOCKET_TIMEOUT",
    210: "NETWORK_ERROR",
    225: "NO_ZOOKEEPER",
    234: "NO_REPLICA_HAS_PART",
    236: "ABORTED",
    241: "MEMORY_LIMIT_EXCEEDED",
    242: "TABLE_IS_READ_ONLY",
    243: "NOT_ENOUGH_SPACE",
    252: "TOO_MANY_PARTS",
    254: "NO_ACTIVE_REPLICAS",
    279: "ALL_CONNECTION_TRIES_FAILED",
    285: "TOO_FEW_LIVE_REPLICAS",
    286: "UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE",
    289: "REPLICA_IS_NOT_IN_QUORUM",
    319: "UNKNOWN_STATUS_OF_INSERT",
    364: "RECEIVED_ERROR_TOO_MANY_REQUESTS",
    369: "ALL_REPLICAS_ARE_STALE",
    373: "SESSION_IS_LOCKED",
    394: "QUERY_WAS_CANCELLED",
    415: "ALL_REPLICAS_LOST",
    416: "REPLICA_STATUS_CHANGED",
    425: "SYSTEM_ERROR",
    439: "CANNOT_SCHEDULE_TASK",
    473: "DEADLOCK_AVOIDED",
    519: "NO_REMOTE_SHARD_AVAILABLE",
    574: "DISTRIBUTED_TOO_MANY_PENDING_BYTES",
    733: "TABLE_IS_BEING_RESTARTED",
    745: "SERVER_OVERLOADED",
    999: "KEEPER_EXCEPTION",
}

# Batches arrive whole; buffering them in the server would acknowledge rows that are not written yet. A server that does
# not wait says 200 as soon as there is progress, and an error after that is no longer told by the status.
_WRITE_SETTINGS: SettingValues = {"async_insert": 0, "wait_end_of_query": 1}

# A longer statement needs the server told so; it costs nothing when the statement is short.
_DEFAULT_MAX_QUERY_SIZE = 262_144

_MESSAGE_LENGTH = 1000
_NOT_TRUSTED = re.compile(r"certificate verify failed: (.*?)\.? \(_ssl")
_STATUS = re.compile(r"HTTP status (\d+)")
_OUR_FAULT = ("400", "401", "403", "404", "405", "411", "413", "415")


class WarehouseUnavailable(Exception):
    """The warehouse did not take the statement now; the same statement may succeed later."""


class WarehouseError(Exception):
    """The warehouse refused the statement; sending it again will not help. `code`: ClickHouse's, or 0."""

    def __init__(self, message: str, code: int = 0) -> None:
        super().__init__(message)
        self.code = code


class Warehouse:
    """One warehouse, used from any number of threads.

    Times come back as aware UTC datetimes and must be passed so. Every method raises `WarehouseUnavailable` (try
    again) or `WarehouseError` (our fault). Parameters are for small values (a server takes 128 KiB each); put lists of
    many into the statement, packed into one literal. Connects on first use.

    Pass `interactive` where a person asks: the embedded warehouse then lets the pipeline go first.
    """

    def __init__(self, settings: WarehouseSettings, interactive: bool = False) -> None:
        self.settings = settings
        self._headers = {} if interactive else {PRIORITY_HEADER: PIPELINE}
        self._lock = threading.Lock()
        self._client: Client | None = None

    def rows(
        self, sql: str, parameters: Parameters | None = None, settings: SettingValues | None = None
    ) -> list[tuple[Any, ...]]:
        """Rows of a SELECT; `parameters` fill `{name:Type}` on the server."""
        return [tuple(row) for row in self._result(sql, parameters, settings).result_rows]

    def query(
        self, sql: str, parameters: Parameters | None = None, settings: SettingValues | None = None
    ) -> list[dict[str, Any]]:
        """Rows of a SELECT, each a dict by column name."""
        return list(self._result(sql, parameters, settings).named_results())

    def _result(self, sql: str, parameters: Parameters | None, settings: SettingValues | None) -> Any:
        sql = self.render(sql)
        return self._call(
            lambda client: client.query(
                sql, parameters=_bound(parameters), settings=_for_length(sql, settings), tz_mode="aware", query_tz="UTC"
            )
        )

    def arrow(self, sql: str, parameters: Parameters | None = None, settings: SettingValues | None = None) -> pa.Table:
        """Result of a SELECT as an Arrow table; String columns are Arrow strings."""
        sql = self.render(sql)
        return self._call(
            lambda client: client.query_arrow(
                sql, parameters=_bound(parameters), settings=_for_length(sql, settings), use_strings=True
            )
        )

    def command(self, sql: str, parameters: Parameters | None = None, settings: SettingValues | None = None) -> int:
        """Run a statement that returns no rows: DDL, `INSERT ... SELECT`, ALTER.

        Returns how many rows it wrote; 0 where that is not told, as with `parameters`.
        """
        sql = self.render(sql)
        asked = _for_length(sql, {**_WRITE_SETTINGS, **(settings or {})})
        if parameters:
            # Not the library's `command`, which puts parameters into the URL however long they are.
            self._call(lambda client: client.raw_query(sql, parameters=_bound(parameters), settings=asked))
            return 0
        answer = self._call(lambda client: client.command(sql, settings=asked))
        return answer.written_rows if isinstance(answer, QuerySummary) else 0

    def insert(self, table: str, rows: pa.Table, settings: SettingValues | None = None) -> None:
        """Insert an Arrow table by column name; columns it lacks get their defaults. Written when this returns."""
        if rows.num_rows == 0:
            return
        table = self.render(table)
        self._call(lambda client: client.insert_arrow(table, rows, settings={**_WRITE_SETTINGS, **(settings or {})}))

    def script(self, sql_text: str) -> None:
        """Run several statements separated by `;`, in order, until one fails."""
        for statement in statements.split(self.render(sql_text)):
            self.command(statement)

    def render(self, sql: str) -> str:
        """`sql` with `{db}` and `{store}` replaced by the names of the two databases."""
        return sql.replace("{db}", self.settings.database).replace("{store}", self.settings.store)

    def wait_ready(self, timeout_s: float = 30.0) -> None:
        """Return when the warehouse answers a query; raise `WarehouseUnavailable` when it does not in time."""
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                self.rows("SELECT 1")
                return
            except WarehouseUnavailable:
                if time.monotonic() >= deadline:
                    raise
                time.sleep(0.1)

    def is_embedded(self) -> bool:
        """True for the embedded engine: only it has the table function `python`."""
        return bool(self.rows("SELECT count() FROM system.table_functions WHERE name = 'python'")[0][0])

    def close(self) -> None:
        """Close the connections; a later call opens them again."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()
            client.close_connections()

    def _call(self, ask: Callable[[Client], Any]) -> Any:
        try:
            return ask(self._connected())
        except ClickHouseError as error:
            raise _classified(error, self.settings) from error
        except OSError as error:
            raise WarehouseUnavailable(f"{_shown(self.settings)} does not answer: {error}") from error

    def _connected(self) -> Client:
        with self._lock:
            if self._client is None:
                self._client = _connect(self.settings, self._headers)
            return self._client


def _connect(settings: WarehouseSettings, headers: dict[str, str]) -> Client:
    url = urlsplit(settings.url)
    if url.scheme not in ("http", "https") or not url.hostname:
        raise WarehouseError(f"warehouse.url must look like http://host:8123, not {_shown(settings)}")
    authority = None
    if settings.ssl_cafile and url.scheme == "https":
        authority = str(settings.ssl_cafile)
        try:
            tls.context(settings.ssl_cafile)
        except OSError as error:
            raise WarehouseError(f"warehouse.ssl_cafile {authority} holds no certificate: {error.strerror}") from error
    local = url.hostname in ("127.0.0.1", "localhost", "::1")
    return clickhouse_connect.get_client(
        interface=url.scheme,
        host=url.hostname,
        port=url.port or (8443 if url.scheme == "https" else 8123),
        proxy_path=url.path,
        username=unquote(url.username or settings.user),
        password=unquote(url.password or "") or settings.password.get_secret_value(),
        # Neither database exists before the first migration, and a client that names one could not create it.
        database="__default__",
        # On one machine compressing costs more than copying.
        compress=not local,
        query_limit=0,
        # Whole seconds: the library would round a part of one down to none.
        connect_timeout=min(10, math.ceil(settings.timeout_s)),
        send_receive_timeout=math.ceil(settings.timeout_s),
        # A session would make the server run this client's statements one by one.
        autogenerate_session_id=False,
        show_clickhouse_errors="scrub",
        # Never through the proxy of the environment to this machine; else a pool that is closed with the client.
        **({"pool_mgr": PoolManager(maxsize=16, ca_certs=authority)} if local else {"dedicated_pool": True}),
        ca_cert=authority,
        tz_mode="aware",
        headers=headers,
        client_name="community-streams",
    )


def _for_length(sql: str, settings: SettingValues | None) -> dict[str, Any]:
    chosen = dict(settings or {})
    size = len(sql.encode())
    if size >= _DEFAULT_MAX_QUERY_SIZE:
        chosen.setdefault("max_query_size", 2 * size)
        chosen.setdefault("max_ast_elements", 50_000_000)
        chosen.setdefault("max_expanded_ast_elements", 50_000_000)
    return chosen


def _bound(parameters: Parameters | None) -> dict[str, Any] | None:
    return dict(parameters) if parameters else None


def _shown(settings: WarehouseSettings) -> str:
    """The warehouse's address without what may be secret in it."""
    url = urlsplit(settings.url)
    return f"warehouse {url.scheme}://{url.hostname}{f':{url.port}' if url.port else ''}"


def _classified(error: ClickHouseError, settings: WarehouseSettings) -> WarehouseUnavailable | WarehouseError:
    code = getattr(error, "code", None)
    not_trusted = _NOT_TRUSTED.search(str(error.__cause__))
    if not_trusted:
        # It may be renewed while we wait.
        why = not_trusted.group(1)
        step = tls.next_step(why, "warehouse.ssl_cafile", "warehouse.url")
        return WarehouseUnavailable(f"{_shown(settings)}: its certificate is not trusted: {why}; {step}")
    # After a syntax error the server lists every keyword it knows.
    text = f"{_shown(settings)}: {str(error).split(' Expected one of: ')[0][:_MESSAGE_LENGTH]}"
    if code is not None:
        return WarehouseUnavailable(text) if code in TRANSIENT else WarehouseError(text, code)
    if isinstance(error, (DataError, NotSupportedError, ProgrammingError)):
        return WarehouseError(text)
    status = _STATUS.search(str(error))
    if status and status.group(1) in _OUR_FAULT:
        return WarehouseError(text)
    # The connection failed, or something before the server answered: a proxy, or the server while it starts.
    return WarehouseUnavailable(text)
