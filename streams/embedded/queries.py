"""Runs requests on the engine, each kind of work in a lane of threads of its own, and answers as a server would.

The lanes keep apart what must not wait for each other: a pipeline's inserts, its reads, long statements that write, and
the queries of people, which run at low priority where the system lets a process do that.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import threading
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor

from aiohttp import web

from streams import statements
from streams.embedded import coding
from streams.embedded.engine import SERVER_DEFAULTS, Answer, Engine, EngineError, Session, failure, quoted
from streams.embedded.protocol import Limits, Reader, Request, Spool
from streams.embedded.refusals import refuse
from streams.embedded.sessions import Sessions
from streams.embedded.statuses import http_status
from streams.embedded.warehouse_process import PIPELINE, PRIORITY_HEADER

log = logging.getLogger(__name__)

_CONTENT_TYPES = {
    "JSON": "application/json; charset=UTF-8",
    "JSONCompact": "application/json; charset=UTF-8",
    "JSONEachRow": "application/x-ndjson; charset=UTF-8",
    "CSV": "text/csv; charset=UTF-8; header=absent",
    "CSVWithNames": "text/csv; charset=UTF-8; header=present",
    "TabSeparated": "text/tab-separated-values; charset=UTF-8",
    "TSV": "text/tab-separated-values; charset=UTF-8",
    "Arrow": "application/vnd.apache.arrow.file",
    "ArrowStream": "application/vnd.apache.arrow.stream",
}
_BINARY = frozenset({"Native", "RowBinary", "RowBinaryWithNamesAndTypes", "Parquet", "ORC", "Avro", "Protobuf"})
_READING = ("read", "pipeline")
# What people ask are views of views, which take longer to plan than to run: steps of planning that gain nothing there.
_PLANNED_QUICKLY = {"query_plan_remove_unused_columns": "0", "enable_join_runtime_filters": "0"}
_LOOK_S = 0.5


class Queries:
    """Answers `/`."""

    def __init__(self, engine: Engine, spool: Spool, limits: Limits) -> None:
        self._engine = engine
        self._limits = limits
        self._reader = Reader(spool, limits)
        self._sessions = Sessions(engine, limits.sessions)
        threads = {
            "read": limits.read_threads,
            "pipeline": limits.pipeline_threads,
            "write": limits.write_threads,
            "insert": limits.insert_threads,
            "kill": 1,
        }
        self._lanes = {name: ThreadPoolExecutor(count, name) for name, count in threads.items()}
        self._pending = dict.fromkeys(threads, 0)
        self._reads: dict[str, Future[Answer]] = {}
        self._requests = 0
        self._stopping = False
        self._defaults = _lane_defaults(engine, limits)
        self.headers = {
            "X-ClickHouse-Server-Display-Name": "embedded",
            "X-ClickHouse-Timezone": engine.timezone,
        }

    async def stop_reading(self) -> None:
        """Take no more requests and end the reads: whoever asked can ask again, but what is being written shall end."""
        self._stopping = True
        for query_id in list(self._reads):
            await self._end(query_id)

    async def close(self) -> None:
        """Wait for what runs, end the threads and forget the sessions."""
        for lane in self._lanes.values():
            await asyncio.to_thread(lane.shutdown, True, cancel_futures=True)
        self._sessions.close()

    async def handle(self, http: web.Request) -> web.Response:
        """Answer a GET or a POST."""
        headers = dict(self.headers)
        request = None
        self._requests += 1
        try:
            if self._stopping:
                raise failure(236, "the warehouse is stopping", "ABORTED")
            if self._requests > self._limits.requests:
                raise failure(202, f"{self._limits.requests} requests are under way", "TOO_MANY_SIMULTANEOUS_QUERIES")
            request = await self._reader.read(http)
            headers["X-ClickHouse-Query-Id"] = request.query_id
            if request.empty:
                if request.read_only and "query" not in http.query:
                    return web.Response(text="Ok.\n", headers=headers)
                raise failure(62, "Syntax error: empty query", "SYNTAX_ERROR")
            return await self._answer(http, request, headers)
        except EngineError as error:
            return self.failure(error, headers)
        finally:
            self._requests -= 1
            if request:
                request.discard()

    def failure(self, error: EngineError, headers: Mapping[str, str]) -> web.Response:
        """The answer for a statement that failed."""
        return web.Response(
            status=http_status(error.code),
            text=f"{error} (version {self._engine.version})\n",
            headers={**headers, "X-ClickHouse-Exception-Code": str(error.code)},
        )

    async def _answer(self, http: web.Request, request: Request, headers: dict[str, str]) -> web.Response:
        lane = self._lane(http, request)
        if self._pending[lane] >= self._limits.waiting:
            raise failure(202, f"{self._pending[lane]} statements wait already", "TOO_MANY_SIMULTANEOUS_QUERIES")
        self._pending[lane] += 1
        try:
            answer = await self._run(http, request, lane)
        finally:
            self._pending[lane] -= 1
        headers["X-ClickHouse-Summary"] = _summary(answer)
        body = answer.body
        if lane in _READING:
            output = statements.output_format(request.sql) or request.output
            headers["X-ClickHouse-Format"] = output
            other = "application/octet-stream" if output in _BINARY else "text/plain; charset=UTF-8"
            headers["Content-Type"] = _CONTENT_TYPES.get(output, other)
            if http.query.get("enable_http_compression") in ("1", "true") and body:
                encoding = coding.answer_encoding(http.headers.get("Accept-Encoding", ""))
                if encoding:
                    body = await asyncio.to_thread(coding.encode, body, encoding)
                    headers["Content-Encoding"] = encoding
        return web.Response(body=body, headers=headers)

    def _lane(self, http: web.Request, request: Request) -> str:
        if request.insert:
            if request.read_only:
                raise failure(164, "Cannot execute query in readonly mode: send inserts by POST", "READONLY")
            refuse(request.insert.target)
            return "insert"
        refuse(request.sql)
        if not statements.is_reading(request.sql):
            return "write"
        return "pipeline" if http.headers.get(PRIORITY_HEADER) == PIPELINE else "read"

    async def _run(self, http: web.Request, request: Request, lane: str) -> Answer:
        """Waits in the lane and runs; a read whose client has gone is taken out of the queue or killed."""
        settings = {**self._defaults[lane], "log_comment": request.query_id, **request.settings}
        work = self._lanes[lane].submit(self._execute, request, settings)
        answer = asyncio.wrap_future(work)
        if lane in _READING:
            self._reads[request.query_id] = work
        try:
            while not answer.done():
                await asyncio.wait({answer}, timeout=_LOOK_S)
                gone = http.transport is None or http.transport.is_closing()
                if gone and not answer.done() and lane in _READING:
                    await self._end(request.query_id)
            return answer.result()
        except asyncio.CancelledError:
            raise failure(394, "Query was cancelled before it began", "QUERY_WAS_CANCELLED") from None
        finally:
            self._reads.pop(request.query_id, None)

    async def _end(self, query_id: str) -> None:
        """Take a read out of its queue, or kill it."""
        work = self._reads.get(query_id)
        if work and not work.cancel():
            await asyncio.get_running_loop().run_in_executor(self._lanes["kill"], self._kill, query_id)

    def _kill(self, query_id: str) -> None:
        session = self._engine.session()
        try:
            session.run(
                f"KILL QUERY WHERE Settings['log_comment'] = {quoted(query_id)} AND query_id != queryID() ASYNC"
            )
        finally:
            session.close()

    def _execute(self, request: Request, settings: Mapping[str, str]) -> Answer:
        with self._sessions.of(request) as session:
            return _execute(session, request, settings)


def _execute(session: Session, request: Request, settings: Mapping[str, str]) -> Answer:
    session.configure({name: value for name, value in settings.items() if name != "readonly"}, request.database)
    for table in request.external:
        session.run(f"CREATE TEMPORARY TABLE {table.name} ({table.structure})")
        if table.data.stat().st_size:
            session.run(f"INSERT INTO {table.name} FROM INFILE {quoted(str(table.data))} FORMAT {table.format}")
    # Last, because a read-only session takes neither settings nor tables any more. A GET may not change anything.
    read_only = settings.get("readonly", "2" if request.read_only else "0")
    if read_only != "0":
        session.configure({"readonly": read_only})
    try:
        if request.insert is None:
            return session.run(_text(request.sql), request.output, request.parameters)
        assert request.data is not None
        if request.data.stat().st_size == 0:
            return Answer()
        head = request.insert
        source = f"FROM INFILE {quoted(str(request.data))} COMPRESSION 'none'"
        sql = f"{_text(head.target)} {source} {_text(head.settings)} FORMAT {head.format or 'Values'}"
        return session.run(sql, parameters=request.parameters)
    finally:
        for table in request.external:
            session.run(f"DROP TEMPORARY TABLE IF EXISTS {table.name}")


def _text(sql: bytes) -> str:
    try:
        return sql.decode()
    except UnicodeDecodeError as error:
        raise failure(62, f"Syntax error: the statement is not UTF-8 ({error.reason})", "SYNTAX_ERROR") from error


def _lane_defaults(engine: Engine, limits: Limits) -> dict[str, dict[str, str]]:
    """Settings of each lane where a request does not say otherwise."""
    people = {
        **_PLANNED_QUICKLY,
        "max_execution_time": f"{limits.read_seconds:g}",
        "max_memory_usage": str(engine.memory_bytes // 4),
        # Answers are built in memory before they are sent.
        "max_result_bytes": str(engine.memory_bytes // 8),
    }
    if _may_raise_priority():
        people["os_threads_nice_value_query"] = "10"
    else:
        people["max_threads"] = str(max(1, (os.cpu_count() or 1) - 1))
    writing = {"async_insert": "0"}
    lanes = {"read": people, "pipeline": {}, "write": writing, "insert": writing}
    return {lane: {**SERVER_DEFAULTS, **chosen} for lane, chosen in lanes.items()}


def _may_raise_priority() -> bool:
    """Whether a thread that was made nicer can be taken back: else the engine's pooled threads would all stay nice."""
    allowed = []

    def attempt() -> None:
        try:
            thread = threading.get_native_id()
            before = os.getpriority(os.PRIO_PROCESS, thread)
            os.setpriority(os.PRIO_PROCESS, thread, before + 1)
            os.setpriority(os.PRIO_PROCESS, thread, before)
            allowed.append(True)
        except (OSError, AttributeError):
            pass

    probe = threading.Thread(target=attempt)
    probe.start()
    probe.join()
    return bool(allowed)


def _summary(answer: Answer) -> str:
    return json.dumps(
        {
            "read_rows": str(answer.read_rows),
            "read_bytes": str(answer.read_bytes),
            "written_rows": str(answer.written_rows),
            "written_bytes": str(answer.written_bytes),
            "total_rows_to_read": "0",
            "result_rows": str(answer.result_rows),
            "result_bytes": str(len(answer.body)),
            "elapsed_ns": str(int(answer.elapsed_s * 1e9)),
        }
    )
