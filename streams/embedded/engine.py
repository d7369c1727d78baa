"""The one chDB engine of a process: opened once, asked from several threads, each question in a session of its own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streams.embedded.directory import ENGINE_DIRECTORY, DirectoryLock, check_directory

_CODE = re.compile(r"Code:\s*(\d+)")
_VERSION_TRAILER = re.compile(r"\s*\(version [^()]*(?:\([^()]*\))?[^()]*\)")
_NAME = re.compile(r"[A-Za-z_]\w*")

BAD_ARGUMENTS, SYNTAX_ERROR, UNKNOWN_DATABASE = 36, 62, 81
SUPPORT_IS_DISABLED, READONLY, TOO_MANY_QUERIES = 344, 164, 202

# What the library sets for its own users and a server does not.
_SERVER_DEFAULTS = {"implicit_select": "0", "allow_introspection_functions": "0"}


class EngineError(Exception):
    """A statement failed: `code` is ClickHouse's, the message the server's text with its symbolic name at the end."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Answer:
    """Result of one statement: `body` in the format asked for, and what it cost."""

    body: bytes
    read_rows: int
    read_bytes: int
    written_rows: int
    written_bytes: int
    elapsed_s: float


def quoted(text: str) -> str:
    """`text` as a string literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def identifier(text: str) -> str:
    """`text` as a quoted name."""
    return "`" + text.replace("\\", "\\\\").replace("`", "\\`") + "`"


def _failure(error: Exception) -> EngineError:
    message = str(error)
    start = message.find("Code: ")
    message = _VERSION_TRAILER.sub("", message[max(start, 0) :].strip())
    found = _CODE.search(message)
    return EngineError(int(found.group(1)) if found else 1002, message)


class Session:
    """A handle on the engine with settings, database and temporary tables of its own; for one thread at a time."""

    def __init__(self, chdb: Any, path: Path) -> None:
        self._connection = chdb.connect(str(path))

    def configure(self, settings: Mapping[str, str], database: str = "") -> None:
        """Apply settings and the current database to all that follows. Raises `EngineError`."""
        for name in settings:
            if not _NAME.fullmatch(name):
                raise EngineError(115, f"Code: 115. DB::Exception: Unknown setting {name!r}. (UNKNOWN_SETTING)")
        if settings:
            self.run("SET " + ", ".join(f"{name} = {quoted(value)}" for name, value in settings.items()))
        if database:
            self.run(f"USE {identifier(database)}")

    def reset(self, names: Mapping[str, str]) -> None:
        """Back to the defaults for these settings."""
        if names:
            self.run("SET " + ", ".join(f"{name} = DEFAULT" for name in names))

    def run(self, sql: str, output: str = "TabSeparated", parameters: Mapping[str, str] | None = None) -> Answer:
        """Run one statement; `parameters` are values in the escaped form of TabSeparated. Raises `EngineError`."""
        try:
            result = self._connection.query(sql, output, params=dict(parameters or {}))
        except Exception as error:  # chDB raises its own type, RuntimeError or ValueError for the same things
            raise _failure(error) from error
        # Only one of the two is filled: rows read from tables, or rows produced by an insert's source.
        return Answer(
            body=result.bytes(),
            read_rows=result.storage_rows_read() or result.rows_read(),
            read_bytes=result.storage_bytes_read() or result.bytes_read(),
            written_rows=result.rows_written(),
            written_bytes=result.bytes_written(),
            elapsed_s=result.elapsed(),
        )

    def close(self) -> None:
        """Drop the session with its temporary tables."""
        self._connection.close()


class Engine:
    """Opens `data_dir` and keeps it open. Raises `DirectoryInUse`, or `EngineError` when the engine refuses it."""

    def __init__(self, data_dir: Path) -> None:
        self.lock = DirectoryLock(data_dir)
        self.path = data_dir / ENGINE_DIRECTORY
        try:
            import chdb  # half a gigabyte of library: only the process that serves it loads it

            self._chdb = chdb
            try:
                self._keep_open = self.session()
                self._keep_open.run("SELECT 1")
                self.version = self._keep_open.run("SELECT version()").body.decode().strip()
                self.timezone = self._keep_open.run("SELECT timezone()").body.decode().strip()
            except Exception as error:
                known = check_directory(data_dir)
                hint = "; ".join(known) if known else "the files in it may be damaged"
                raise EngineError(1000, f"the engine cannot open {self.path}: {_failure(error)}. {hint}") from error
        except BaseException:
            self.lock.release()
            raise

    def session(self) -> Session:
        """A fresh session; cheap (0.1 ms)."""
        session = Session(self._chdb, self.path)
        session.configure(_SERVER_DEFAULTS)
        return session

    def close(self) -> None:
        """Close the engine and give the directory free."""
        self._keep_open.close()
        self.lock.release()
