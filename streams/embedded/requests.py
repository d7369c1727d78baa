"""One HTTP request in the ClickHouse protocol: read it, run it in its lane, answer as a server would."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import re
import tempfile
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from aiohttp import web

from streams import statements
from streams.embedded import coding
from streams.embedded.engine import (
    BAD_ARGUMENTS,
    READONLY,
    SUPPORT_IS_DISABLED,
    TOO_MANY_QUERIES,
    Answer,
    Engine,
    EngineError,
    quoted,
)
from streams.embedded.refusals import refuse
from streams.embedded.statuses import http_status

log = logging.getLogger(__name__)

# Parameters of the protocol; every other one is a setting.
_PROTOCOL = frozenset(
    "query database default_format session_id session_timeout session_check query_id quota_key user password compress "
    "decompress buffer_size wait_end_of_query client_protocol_version role enable_http_compression "
    "send_progress_in_http_headers http_headers_progress_interval_ms http_zlib_compression_level "
    "cancel_http_readonly_queries_on_client_close stacktrace close_session".split()
)
_EXTERNAL = re.compile(r"(.+)_(format|structure|types)")
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


@dataclass(frozen=True, slots=True)
class Limits:
    """What one process accepts.

    Three lanes, so that neither slow readers nor a long `INSERT ... SELECT` can hold up the inserts of a pipeline.
    """

    body_bytes: int = 1 << 30
    statement_bytes: int = 64 << 20
    reader_threads: int = 4
    writer_threads: int = 2
    insert_threads: int = 2
    waiting: int = 64
    reader_max_threads: int = max(1, (os.cpu_count() or 2) // 2)


@dataclass(slots=True)
class Request:
    """One request, taken apart."""

    sql: bytes
    query_id: str
    database: str = ""
    output: str = "TabSeparated"
    settings: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)
    session_id: str = ""
    insert: statements.InsertHead | None = None
    data: Path | None = None


class QueryHandler:
    """Answers `/`."""

    def __init__(self, engine: Engine, limits: Limits) -> None:
        self._engine = engine
        self._limits = limits
        self._lanes = {
            "read": ThreadPoolExecutor(limits.reader_threads, "read"),
            "write": ThreadPoolExecutor(limits.writer_threads, "write"),
            "insert": ThreadPoolExecutor(limits.insert_threads, "insert"),
        }
        self._pending = dict.fromkeys(self._lanes, 0)
        self._spool = tempfile.TemporaryDirectory(prefix="streams-warehouse-", dir=_spool_parent(engine))
        self.server_headers = {
            "X-ClickHouse-Server-Display-Name": "embedded",
            "X-ClickHouse-Timezone": engine.timezone,
        }

    async def close(self, _app: web.Application) -> None:
        """Wait for what runs and end the threads."""
        for lane in self._lanes.values():
            await asyncio.to_thread(lane.shutdown, True, cancel_futures=True)
        self._spool.cleanup()

    async def handle(self, request: web.Request) -> web.Response:
        """Answer a GET or POST."""
        headers = {**self.server_headers, "X-ClickHouse-Query-Id": request.query.get("query_id") or str(uuid.uuid4())}
        files: list[Path] = []
        try:
            parsed = await self._read(request, headers["X-ClickHouse-Query-Id"], files)
            if not parsed.sql.strip() and parsed.insert is None:
                if request.method == "GET" and "query" not in request.query:
                    return web.Response(text="Ok.\n", headers=headers)
                raise EngineError(62, "Code: 62. DB::Exception: Empty query. (SYNTAX_ERROR)")
            return await self._answer(request, parsed, headers)
        except EngineError as error:
            return self.failure(error, headers)
        except coding.CodingError as error:
            return self.failure(
                EngineError(BAD_ARGUMENTS, f"Code: 36. DB::Exception: {error}. (BAD_ARGUMENTS)"), headers
            )
        finally:
            for path in files:
                path.unlink(missing_ok=True)

    def failure(self, error: EngineError, headers: Mapping[str, str]) -> web.Response:
        """The answer for a statement that failed."""
        return web.Response(
            status=http_status(error.code),
            text=f"{error} (version {self._engine.version})\n",
            headers={**headers, "X-ClickHouse-Exception-Code": str(error.code)},
        )

    async def _read(self, http: web.Request, query_id: str, files: list[Path]) -> Request:
        url = http.query
        request = Request(b"", query_id)
        request.database = url.get("database") or http.headers.get("X-ClickHouse-Database", "")
        request.output = url.get("default_format") or http.headers.get("X-ClickHouse-Format") or "TabSeparated"
        request.session_id = url.get("session_id", "")
        external: dict[str, dict[str, str]] = {}
        for name, value in url.items():
            if name.startswith("param_"):
                request.parameters[name[6:]] = value
            elif name not in _PROTOCOL:
                request.settings[name] = value
        query = url.get("query", "").encode()
        if http.method == "GET":
            request.settings["readonly"] = "2"
        if http.content_type == "multipart/form-data":
            query = await self._read_form(http, query, request, external, files)
            request.sql = query
        else:
            await self._read_body(http, query, request, files)
        return request

    async def _read_form(
        self, http: web.Request, query: bytes, request: Request, external: dict[str, dict[str, str]], files: list[Path]
    ) -> bytes:
        reader = await http.multipart()
        total = 0
        async for part in reader:
            name = getattr(part, "name", None) or ""
            body = bytearray()
            while chunk := await part.read_chunk(1 << 16):  # type: ignore[union-attr]
                total += len(chunk)
                self._check_size(total)
                body += chunk
            if getattr(part, "filename", None) is not None:
                raise EngineError(
                    SUPPORT_IS_DISABLED,
                    "Code: 344. DB::Exception: external tables are not served here. (SUPPORT_IS_DISABLED)",
                )
            if name == "query":
                query = query + b"\n" + bytes(body) if query else bytes(body)
            elif name.startswith("param_"):
                request.parameters[name[6:]] = body.decode()
            else:
                request.settings[name] = body.decode()
        return query

    async def _read_body(self, http: web.Request, query: bytes, request: Request, files: list[Path]) -> None:
        """Sets the statement and, for an insert with data, the file that holds it."""
        encoding = http.headers.get("Content-Encoding", "").strip().lower()
        if encoding in ("", "identity"):
            await self._take(http.content.iter_chunked(1 << 18), query, request, files)
            return
        with self._file(files) as raw:
            await self._copy(http, raw)
            source = Path(raw.name)

        async def pieces():  # type: ignore[no-untyped-def]
            with source.open("rb") as stream:
                decoded = coding.decode(stream, encoding)
                while (piece := await asyncio.to_thread(next, decoded, None)) is not None:
                    yield piece

        await self._take(pieces(), query, request, files)

    async def _copy(self, http: web.Request, target: BinaryIO) -> None:
        total = 0
        async for chunk in http.content.iter_chunked(1 << 18):
            total += len(chunk)
            self._check_size(total)
            target.write(chunk)

    async def _take(self, pieces, query: bytes, request: Request, files: list[Path]) -> None:  # type: ignore[no-untyped-def]
        """Statement text stays in memory; as soon as an insert's head is known, the rest goes to a file."""
        text = bytearray()
        target: BinaryIO | None = None
        total = 0
        possible = True
        if query:
            with contextlib.suppress(statements.NotData):
                request.insert = statements.insert_head(query, whole=True, data_follows=True)
            possible = False
        if request.insert:
            assert request.insert is not None
            target = self._file(files)
            target.write(query[request.insert.data :])
        try:
            async for piece in pieces:
                total += len(piece)
                self._check_size(total)
                if target:
                    target.write(piece)
                    continue
                text += piece
                if possible:
                    head = None
                    try:
                        head = statements.insert_head(bytes(text), whole=False)
                    except statements.NotData:
                        possible = False
                    if head:
                        request.insert = head
                        target = self._file(files)
                        target.write(text[head.data :])
                        text.clear()
                if len(text) > self._limits.statement_bytes:
                    raise EngineError(
                        62,
                        f"Code: 62. DB::Exception: a statement may have {self._limits.statement_bytes} bytes here. "
                        "(QUERY_IS_TOO_LARGE)",
                    )
        finally:
            if target:
                target.close()
        if target is None and possible and text:
            with contextlib.suppress(statements.NotData):
                request.insert = statements.insert_head(bytes(text), whole=True)
                if request.insert:
                    target = self._file(files)
                    target.write(text[request.insert.data :])
                    target.close()
        if target:
            request.data = Path(target.name)
        elif query and text:
            request.sql = query + b"\n" + bytes(text)
        else:
            request.sql = query or bytes(text)

    def _file(self, files: list[Path]) -> BinaryIO:
        path = Path(self._spool.name) / uuid.uuid4().hex
        files.append(path)
        return path.open("xb")

    def _check_size(self, size: int) -> None:
        if size > self._limits.body_bytes:
            raise EngineError(
                241,
                f"Code: 241. DB::Exception: a request may have {self._limits.body_bytes} bytes here. Send smaller inserts. "
                "(MEMORY_LIMIT_EXCEEDED)",
            )

    async def _answer(self, http: web.Request, request: Request, headers: dict[str, str]) -> web.Response:
        if request.insert:
            lane = "insert"
            if http.method == "GET":
                raise EngineError(
                    READONLY, "Code: 164. DB::Exception: Cannot execute query in readonly mode. (READONLY)"
                )
        else:
            refuse(request.sql)
            lane = "read" if statements.is_reading(request.sql) else "write"
        if lane == "read":
            request.settings.setdefault("max_threads", str(self._limits.reader_max_threads))
        if self._pending[lane] >= self._limits.waiting:
            raise EngineError(
                TOO_MANY_QUERIES,
                f"Code: 202. DB::Exception: {self._pending[lane]} statements wait in the lane {lane!r}. "
                "(TOO_MANY_SIMULTANEOUS_QUERIES)",
            )
        self._pending[lane] += 1
        try:
            answer = await asyncio.get_running_loop().run_in_executor(self._lanes[lane], self._run, request)
        finally:
            self._pending[lane] -= 1
        headers["X-ClickHouse-Summary"] = _summary(answer)
        if lane == "read":
            output = statements.output_format(request.sql) or request.output
            headers["X-ClickHouse-Format"] = output
            headers["Content-Type"] = _CONTENT_TYPES.get(
                output, "text/plain; charset=UTF-8" if not answer.body else "application/octet-stream"
            )
        body = answer.body
        if http.query.get("enable_http_compression") in ("1", "true") and body:
            encoding = coding.answer_encoding(http.headers.get("Accept-Encoding", ""))
            if encoding:
                body = await asyncio.to_thread(coding.encode, body, encoding)
                headers["Content-Encoding"] = encoding
        return web.Response(body=body, headers=headers)

    def _run(self, request: Request) -> Answer:
        session = self._engine.session()
        try:
            session.configure(request.settings, request.database)
            if request.insert is None:
                return session.run(request.sql.decode(errors="surrogateescape"), request.output, request.parameters)
            assert request.data is not None
            if request.data.stat().st_size == 0:
                return Answer(b"", 0, 0, 0, 0, 0.0)
            head = request.insert
            name = head.format or "Values"
            sql = f"{head.target.decode()} FROM INFILE {quoted(str(request.data))} COMPRESSION 'none' {head.settings.decode()} FORMAT {name}"
            return session.run(sql, parameters=request.parameters)
        finally:
            session.close()


def _summary(answer: Answer) -> str:
    return json.dumps(
        {
            "read_rows": str(answer.read_rows),
            "read_bytes": str(answer.read_bytes),
            "written_rows": str(answer.written_rows),
            "written_bytes": str(answer.written_bytes),
            "total_rows_to_read": "0",
            "result_rows": str(answer.written_rows),
            "result_bytes": str(len(answer.body)),
            "elapsed_ns": str(int(answer.elapsed_s * 1e9)),
        }
    )


def _spool_parent(engine: Engine) -> str:
    """Where bodies of inserts wait: in memory when the machine offers it, else beside the data."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else str(engine.path)
