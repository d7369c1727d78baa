"""One request of the ClickHouse HTTP protocol, read off the wire: its statement, settings, parameters and data."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from aiohttp import BodyPartReader, web

from streams import statements
from streams.embedded import coding
from streams.embedded.engine import failure

# Parameters of the protocol itself; every other one is a setting.
_PROTOCOL = frozenset(
    {
        *("query", "query_id", "database", "default_format", "user", "password", "quota_key", "role", "stacktrace"),
        *("session_id", "session_timeout", "session_check", "close_session"),
        *("compress", "decompress", "enable_http_compression", "http_zlib_compression_level"),
        *("buffer_size", "wait_end_of_query", "client_protocol_version", "http_headers_progress_interval_ms"),
        *("send_progress_in_http_headers", "cancel_http_readonly_queries_on_client_close"),
    }
)
_EXTERNAL = re.compile(r"(?P<table>\w+)_(?P<what>format|structure|types)")
_TABLE_NAME = re.compile(r"[A-Za-z_]\w*")
_CHUNK = 1 << 18

# A server's defaults, kept so that what works on one machine works there.
URL_BYTES = 1 << 20
FIELD_BYTES = 128 << 10

_MEMORY = Path("/dev/shm")

# A body of unknown length is expected to be at most this long when a place for it is chosen.
_EXPECTED_BYTES = 256 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """What one process accepts; three lanes of threads, see `queries`."""

    body_bytes: int = 1 << 30
    statement_bytes: int = 64 << 20
    requests: int = 256
    read_threads: int = 4
    pipeline_threads: int = 2
    write_threads: int = 4
    insert_threads: int = 2
    waiting: int = 64
    read_seconds: float = 300.0
    sessions: int = 256


class Spool:
    """Files that hold bodies until the engine has read them: in memory where the machine offers room, else on disk."""

    def __init__(self, data_dir: Path) -> None:
        self._disk = data_dir / "spool"
        self._memory = _MEMORY / f"streams-warehouse-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        # What a killed process left; nobody else uses the directory while this process holds its lock.
        shutil.rmtree(self._disk, ignore_errors=True)
        self._disk.mkdir(mode=0o700)
        if os.access(_MEMORY, os.W_OK):
            _sweep(_MEMORY)
            self._memory.mkdir(mode=0o700)

    def open(self, length: int | None) -> BinaryIO:
        """A new file for a body of `length` bytes (None: not known)."""
        wanted = 2 * (length if length is not None else _EXPECTED_BYTES)
        roomy = self._memory.is_dir() and shutil.disk_usage(self._memory).free >= wanted
        return ((self._memory if roomy else self._disk) / uuid.uuid4().hex).open("xb")

    def close(self) -> None:
        """Remove what is left."""
        for path in (self._disk, self._memory):
            shutil.rmtree(path, ignore_errors=True)


def _sweep(directory: Path) -> None:
    """Memory files outlive a killed process: remove those whose process is gone."""
    for path in directory.glob("streams-warehouse-*-*"):
        pid = path.name.split("-")[2]
        if pid.isdigit() and not Path("/proc", pid).exists():
            shutil.rmtree(path, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class ExternalTable:
    """A table sent along with a query: its columns as SQL, its format and its data."""

    name: str
    structure: str
    format: str
    data: Path


@dataclass(slots=True)
class Request:
    """One request; `insert` and `data` are set when it inserts what it carries, `sql` otherwise."""

    query_id: str
    read_only: bool
    sql: bytes = b""
    insert: statements.InsertHead | None = None
    data: Path | None = None
    database: str = ""
    output: str = "TabSeparated"
    session_id: str = ""
    session_timeout_s: float = 60.0
    session_must_exist: bool = False
    settings: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)
    external: list[ExternalTable] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        """True when no statement was sent."""
        return self.insert is None and not self.sql.strip()

    def discard(self) -> None:
        """Remove its files."""
        for path in self.files:
            path.unlink(missing_ok=True)


class Reader:
    """Reads requests. Raises `EngineError` for one that is malformed or too large."""

    def __init__(self, spool: Spool, limits: Limits) -> None:
        self._spool = spool
        self._limits = limits

    async def read(self, http: web.Request) -> Request:
        """The whole request; the caller must `discard` it, also when this raises after files were made."""
        url = http.query
        request = Request(str(url.get("query_id") or uuid.uuid4()), read_only=http.method in ("GET", "HEAD"))
        try:
            request.database = str(url.get("database") or http.headers.get("X-ClickHouse-Database", ""))
            request.output = str(url.get("default_format") or http.headers.get("X-ClickHouse-Format") or request.output)
            request.session_id = url.get("session_id", "")
            request.session_must_exist = url.get("session_check") == "1"
            with contextlib.suppress(ValueError):
                request.session_timeout_s = min(float(url.get("session_timeout", 60)), 3600.0)
            described: dict[tuple[str, str], str] = {}
            for name, value in url.items():
                external = _EXTERNAL.fullmatch(name)
                if name.startswith("param_"):
                    request.parameters[name[len("param_") :]] = value
                elif external and http.content_type == "multipart/form-data":
                    described[external["table"], external["what"]] = value
                elif name not in _PROTOCOL:
                    request.settings[name] = value
            query = url.get("query", "").encode()
            if http.content_type == "multipart/form-data":
                request.sql = await self._form(http, query, request, described)
            else:
                await self._body(http, query, request)
        except (coding.CodingError, ValueError) as error:  # ValueError: a form that is none, text that is not UTF-8
            request.discard()
            raise failure(36, str(error), "BAD_ARGUMENTS") from error
        except OSError as error:
            request.discard()
            if http.transport is None or http.transport.is_closing():
                raise failure(394, "the client has gone", "QUERY_WAS_CANCELLED") from error
            raise failure(243, f"no room for the request: {error}", "NOT_ENOUGH_SPACE") from error
        except BaseException:
            request.discard()
            raise
        return request

    async def _form(
        self, http: web.Request, query: bytes, request: Request, described: dict[tuple[str, str], str]
    ) -> bytes:
        """Fields are the query, parameters and settings; files are external tables."""
        size = 0
        async for part in await http.multipart():
            if not isinstance(part, BodyPartReader) or not part.name:
                raise failure(36, "a part of the form has no name", "BAD_ARGUMENTS")
            value = bytearray()
            stream = self._create(request, http.content_length) if part.filename is not None else None
            with stream or contextlib.nullcontext():
                while chunk := await part.read_chunk(_CHUNK):
                    size += len(chunk)
                    self._check(size)
                    if stream:
                        stream.write(chunk)
                    else:
                        value += chunk
                        _check_field(part.name, len(value))
            if stream:
                request.external.append(_external(part.name, described, request.files[-1]))
            elif part.name == "query":
                query = query + b"\n" + bytes(value) if query else bytes(value)
            elif part.name.startswith("param_"):
                request.parameters[part.name[len("param_") :]] = value.decode()
            elif part.name not in _PROTOCOL:
                request.settings[part.name] = value.decode()
        return query

    async def _body(self, http: web.Request, query: bytes, request: Request) -> None:
        """Sets the statement, and for an insert that carries data its head and the file of the data.

        The statement is what the URL and the body hold, one behind the other.
        """
        pieces = self._pieces(http, request)
        if query:
            with contextlib.suppress(statements.NotData):
                request.insert = statements.insert_head(query, whole=True, data_follows=True)
            if request.insert:
                await self._store(query[request.insert.data :], pieces, http, request)
                return
        text = bytearray()
        may_carry_data = not query
        async for piece in pieces:
            text += piece
            if may_carry_data:
                try:
                    request.insert = statements.insert_head(bytes(text), whole=False)
                except statements.NotData:
                    may_carry_data = False
                if request.insert:
                    await self._store(text[request.insert.data :], pieces, http, request)
                    return
            if len(text) > self._limits.statement_bytes:
                limit = self._limits.statement_bytes
                raise failure(307, f"a statement may have {limit} bytes here", "TOO_MANY_BYTES")
        if may_carry_data:
            with contextlib.suppress(statements.NotData):
                request.insert = statements.insert_head(bytes(text), whole=True)
            if request.insert:
                await self._store(text[request.insert.data :], pieces, http, request)
                return
        request.sql = query + b"\n" + bytes(text) if query and text else query or bytes(text)

    async def _store(
        self, begin: bytes | bytearray, rest: AsyncIterator[bytes], http: web.Request, request: Request
    ) -> None:
        compressed = bool(http.headers.get("Content-Encoding"))
        with self._create(request, None if compressed else http.content_length) as target:
            request.data = request.files[-1]
            target.write(begin)
            async for piece in rest:
                target.write(piece)

    async def _pieces(self, http: web.Request, request: Request) -> AsyncIterator[bytes]:
        """The body, decompressed; the limit counts what comes out, so that a small body cannot become a huge one."""
        encoding = http.headers.get("Content-Encoding", "").strip().lower()
        size = 0
        if encoding in ("", "identity"):
            async for chunk in http.content.iter_chunked(_CHUNK):
                size += len(chunk)
                self._check(size)
                yield chunk
            return
        with self._create(request, http.content_length) as raw:
            source = request.files[-1]
            async for chunk in http.content.iter_chunked(_CHUNK):
                size += len(chunk)
                self._check(size)
                raw.write(chunk)
        decoded = coding.decode(source, encoding)
        size = 0
        while (piece := await asyncio.to_thread(_next, decoded)) is not None:
            size += len(piece)
            self._check(size)
            yield piece

    def _create(self, request: Request, length: int | None) -> BinaryIO:
        stream = self._spool.open(length)
        request.files.append(Path(stream.name))
        return stream

    def _check(self, size: int) -> None:
        if size > self._limits.body_bytes:
            limit = self._limits.body_bytes
            raise failure(307, f"a request may have {limit} bytes here; send smaller ones", "TOO_MANY_BYTES")


def _check_field(name: str, size: int) -> None:
    if size > FIELD_BYTES:
        raise failure(
            307, f"form field {name} has more than {FIELD_BYTES} bytes, where a server stops", "TOO_MANY_BYTES"
        )


def _next(pieces: Iterator[bytes]) -> bytes | None:
    return next(pieces, None)


def _external(name: str, described: dict[tuple[str, str], str], data: Path) -> ExternalTable:
    if not _TABLE_NAME.fullmatch(name):
        raise failure(36, f"external table name {name!r} is not a plain name", "BAD_ARGUMENTS")
    structure = described.get((name, "structure"), "")
    types = described.get((name, "types"), "")
    if not structure and types:
        structure = ", ".join(f"_{number} {kind}" for number, kind in enumerate(types.split(","), start=1))
    if not structure:
        raise failure(36, f"external table {name} needs {name}_structure or {name}_types", "BAD_ARGUMENTS")
    return ExternalTable(name, structure, described.get((name, "format"), "TabSeparated"), data)
