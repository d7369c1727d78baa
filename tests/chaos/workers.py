"""Worker processes as the harness sees them: started from a zygote, watched, killed, paused."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import psutil

from streams.embedded.child import Child
from streams.settings import Settings

from .marks import Marks, Plan, Seen


class Stuck(AssertionError):
    """A worker did not come to do what it must; the message ends with its log."""


class WorkerProcess:
    """One worker, alive or dead. Signals go through a pidfd, so that they never reach another process."""

    def __init__(self, name: str, pid: int, log: Path, marks: Path) -> None:
        self.name = name
        self.pid = pid
        self.log = log
        self.started = time.monotonic()
        self._marks = Marks(marks)
        try:
            self._fd: int | None = os.pidfd_open(pid)
        except ProcessLookupError:
            self._fd = None

    @property
    def alive(self) -> bool:
        """True until it has ended."""
        return self._fd is not None and not select.select([self._fd], [], [], 0)[0]

    def seen(self) -> Seen:
        """What it does, or did last."""
        return self._marks.read()

    def wait_for(self, step: str, timeout_s: float, times: int = 1) -> None:
        """Return when a step has been reached so often."""
        self.wait_until(lambda seen: seen.times[step] >= times, f"{step!r} x {times}", timeout_s)

    def wait_until(self, reached: Callable[[Seen], bool], what: str, timeout_s: float) -> None:
        """Return when what it has done satisfies `reached`. Raises `Stuck`."""
        deadline = time.monotonic() + timeout_s
        while not reached(self.seen()):
            if not self.alive:
                raise Stuck(f"{self.name} ended before {what}; its log ends:\n{self.log_tail()}")
            if time.monotonic() > deadline:
                raise Stuck(f"{self.name} did not reach {what} in {timeout_s:g} s; its log ends:\n{self.log_tail()}")
            time.sleep(0.005)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; nothing happens when it has ended."""
        if self._fd is not None:
            try:
                signal.pidfd_send_signal(self._fd, number)
            except ProcessLookupError:
                return

    def kill(self) -> None:
        """kill -9, and wait until it is gone."""
        self.signal(signal.SIGKILL)
        self.wait_end(10)

    def wait_end(self, timeout_s: float) -> None:
        """Wait until it has ended. Raises `Stuck`."""
        if self._fd is not None and not select.select([self._fd], [], [], timeout_s)[0]:
            raise Stuck(f"{self.name} (pid {self.pid}) still runs; its log ends:\n{self.log_tail()}")

    def rss(self) -> int:
        """Resident memory in bytes; 0 when it has ended."""
        try:
            return int(psutil.Process(self.pid).memory_info().rss)
        except psutil.NoSuchProcess:
            return 0

    def log_tail(self, lines: int = 40) -> str:
        """The last lines of its log."""
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return "(no log)"


class Zygote:
    """Context manager: starts workers quickly, and kills every one that is left at the end."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.workers: list[WorkerProcess] = []
        self._lock = threading.Lock()
        self._count = 0

    def __enter__(self) -> Zygote:
        ours, theirs = socket.socketpair()
        self._socket = ours
        self._child = Child(
            "zygote",
            [sys.executable, str(Path(__file__).with_name("zygote.py")), str(theirs.fileno())],
            self.directory / "zygote.log",
            pass_fds=(theirs.fileno(),),
        )
        theirs.close()
        self._lines = ours.makefile("rw")
        return self

    def start(self, name: str, settings: Settings, mutant: str = "", plan: Plan | None = None) -> WorkerProcess:
        """Fork a worker with these settings."""
        with self._lock:
            self._count += 1
            base = self.directory / f"{self._count:04}-{name}"
            log, marks = base.with_suffix(".log"), base.with_suffix(".marks")
            Marks(marks)
            order = {
                "log": str(log),
                "marks": str(marks),
                "settings": settings_json(settings),
                "mutant": mutant,
                "plan": plan,
            }
            try:
                self._lines.write(json.dumps(order) + "\n")
                self._lines.flush()
                pid = int(self._lines.readline())
            except (OSError, ValueError) as error:
                raise Stuck(f"the zygote is gone; its log ends:\n{self._child.log_tail()}") from error
            worker = WorkerProcess(base.name, pid, log, marks)
            self.workers.append(worker)
            return worker

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self.workers:
            worker.signal(signal.SIGKILL)
        self._socket.shutdown(socket.SHUT_RDWR)
        self._lines.close()
        self._socket.close()
        self._child.stop()


def settings_json(settings: Settings) -> str:
    """Settings as JSON. Harness settings carry no secrets."""
    return settings.model_dump_json()
