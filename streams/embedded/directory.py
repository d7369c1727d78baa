"""The directory of the embedded warehouse: who uses it, and whether the engine will be able to open it again."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

ENGINE_DIRECTORY = "warehouse"
LOCK_FILE = "warehouse.lock"
QUARANTINE = "warehouse.broken"

# A table of one of these engines is written to the directory before the engine finds that it cannot run it, and then
# the directory cannot be opened any more. The embedded engine has no use for any of them.
REFUSED_ENGINES = frozenset({"kafka", "rabbitmq", "nats", "filelog", "s3queue", "azurequeue"})

_DEFINITIONS = ("metadata/*/*.sql", "store/*/*/*.sql")
_ENGINE_CLAUSE = re.compile(r"\bENGINE\s*=?\s*(\w+)", re.IGNORECASE)


class DirectoryInUse(Exception):
    """Another process has the directory open; the message names it."""


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that has a directory open, as it says itself; `url` is empty until it listens."""

    pid: int
    url: str


def holder(data_dir: Path) -> Holder | None:
    """What the lock file says, whether or not that process still lives; None when it says nothing."""
    try:
        content = json.loads((data_dir / LOCK_FILE).read_text())
        return Holder(int(content["pid"]), str(content["url"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


class DirectoryLock:
    """One engine a directory: an advisory lock that the kernel drops when its process ends, however it ends."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / LOCK_FILE
        data_dir.mkdir(parents=True, exist_ok=True)
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._file)
            other = holder(data_dir)
            who = f"process {other.pid}" + (f" ({other.url})" if other.url else "") if other else "another process"
            raise DirectoryInUse(
                f"{data_dir} is the data directory of {who}, and one engine may open it at a time. "
                "Use that warehouse, end it, or pass another --data-dir."
            ) from error
        self.announce("")

    def announce(self, url: str) -> None:
        """Say who holds the directory and where it listens."""
        content = json.dumps({"pid": os.getpid(), "url": url}).encode()
        os.pwrite(self._file, content.ljust(256), 0)

    def release(self) -> None:
        """Give the directory free."""
        os.ftruncate(self._file, 0)
        os.close(self._file)


def _refused_tables(data_dir: Path) -> list[tuple[Path, str]]:
    """Metadata files of tables that keep the engine from opening the directory, with the engine they name."""
    found = []
    metadata = (data_dir / ENGINE_DIRECTORY).resolve()
    # A database's directory under metadata/ may be a link into store/.
    for path in sorted({path.resolve() for pattern in _DEFINITIONS for path in metadata.glob(pattern)}):
        with contextlib.suppress(OSError):
            clause = _ENGINE_CLAUSE.search(path.read_text(errors="replace"))
            if clause and clause.group(1).lower() in REFUSED_ENGINES:
                found.append((path, clause.group(1)))
    return found


def check_directory(data_dir: Path) -> list[str]:
    """Reasons why the engine would not open `data_dir`, one sentence each; empty when none is known."""
    return [
        f"table definition {path} has ENGINE = {engine}, which the embedded engine cannot open: "
        f"repair_directory moves it to {data_dir / QUARANTINE}"
        for path, engine in _refused_tables(data_dir)
    ]


def repair_directory(data_dir: Path) -> list[str]:
    """Move what keeps the engine from opening `data_dir` to a directory beside it; returns what was done.

    Raises `DirectoryInUse` while a process has it open.
    """
    lock = DirectoryLock(data_dir)
    try:
        done = []
        for path, engine in _refused_tables(data_dir):
            target = data_dir / QUARANTINE / path.relative_to((data_dir / ENGINE_DIRECTORY).resolve())
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(path, target)
            done.append(f"moved the definition of a table with ENGINE = {engine} to {target}")
        return done
    finally:
        lock.release()
