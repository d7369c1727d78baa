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

# Where the library's defaults for its own users differ from a server's.
SERVER_DEFAULTS = {"implicit_select": "0", "allow_introspection_functions": "0"}


class EngineError(Exception):
    """A statement failed: `code` is ClickHouse's, the message the server's text with its symbolic name at the end."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def failure(code: int, sentence: str, name: str) -> EngineError:
    """An error of our own in the server's words."""
    return EngineError(code, f"Code: {code}. DB::Exception: {sentence}. ({name})")


@dataclass(frozen=True, slots=True)
class Answer:
    """Result of one statement: `body` in the format asked for, and what it cost."""

    body: bytes = b""
    read_rows: int = 0
    read_bytes: int = 0
    result_rows: int = 0
    written_rows: int = 0
    written_bytes: int = 0
    elapsed_s: float = 0.0


def quoted(text: str) -> str:
    """`text` as a string literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def identifier(text: str) -> str:
    """`text` as a quoted name."""
    return "`" + text.replace("\\", "\\\\").replace("`", "\\`") + "`"


def _failed(error: Exception) -> EngineError:
    message = str(error)
    start = message.find("Code: ")
    message = _VERSION_TRAILER.sub("", message[max(start, 0) :].strip())
    found = _CODE.search(message)
    return EngineError(int(found.group(1)) if found else 1002, message)


class Session:
    """A handle on the engine with settings, database and temporary tables of its own; for one thread at a time."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._changed: set[str] = set()

    def configure(self, settings: Mapping[str, str], database: str = "") -> None:
        """Apply settings and the current database to all that follows. Raises `EngineError`."""
        for name in settings:
            if not _NAME.fullmatch(name):
                raise failure(115, f"Unknown setting {name!r}", "UNKNOWN_SETTING")
        if settings:
            self.run("SET " + ", ".join(f"{name} = {quoted(value)}" for name, value in settings.items()))
            self._changed.update(settings)
        if database:
            self.run(f"USE {identifier(database)}")

    def reset(self) -> None:
        """Take back what `configure` set."""
        if self._changed:
            self.run("SET " + ", ".join(f"{name} = DEFAULT" for name in sorted(self._changed)))
            self._changed.clear()

    def run(self, sql: str, output: str = "TabSeparated", parameters: Mapping[str, str] | None = None) -> Answer:
        """Run one statement; `parameters` are values in the escaped form of TabSeparated. Raises `EngineError`."""
        try:
            result = self._connection.query(sql, output, params=dict(parameters or {}))
        except Exception as error:  # chDB raises its own type, RuntimeError or ValueError for the same things
            raise _failed(error) from error
        return Answer(
            body=result.bytes(),
            read_rows=result.storage_rows_read(),
            read_bytes=result.storage_bytes_read(),
            result_rows=result.rows_read(),
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
                self.version, self.timezone, memory = (
                    self._keep_open.run(
                        "SELECT version(), timezone(), "
                        "(SELECT value FROM system.server_settings WHERE name = 'max_server_memory_usage')"
                    )
                    .body.decode()
                    .split()
                )
                self.memory_bytes = int(memory)
            except Exception as error:
                known = check_directory(data_dir)
                hint = "; ".join(known) if known else "the files in it may be damaged"
                raise EngineError(1000, f"the engine cannot open {self.path}: {_failed(error)}. {hint}") from error
        except BaseException:
            self.lock.release()
            raise

    def session(self) -> Session:
        """A fresh session; cheap (0.1 ms)."""
        return Session(self._chdb.connect(str(self.path)))

    def close(self) -> None:
        """Close the engine and give the directory free."""
        self._keep_open.close()
        self.lock.release()
