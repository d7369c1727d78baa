"""The embedded warehouse as a child process."""

from __future__ import annotations

import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType

from streams.embedded.child import Child, ChildFailed
from streams.embedded.directory import DirectoryLock, holder

PASSWORD_VARIABLE = "STREAMS_WAREHOUSE__PASSWORD"

# A client that is a part of the pipeline says so, and its reads do not queue behind those of people. Servers ignore it.
PRIORITY_HEADER, PIPELINE = "X-Streams-Priority", "pipeline"


class EmbeddedWarehouse:
    """Context manager around the process that serves `data_dir` over HTTP on loopback.

    `port` 0 picks a free one. Its log is `warehouse.log` in `data_dir`. Raises `DirectoryInUse` when another process
    has the directory open, `ChildFailed` when it does not answer within `timeout_s`.
    """

    def __init__(self, data_dir: Path, port: int = 0, password: str = "", timeout_s: float = 60.0) -> None:
        self.data_dir = data_dir
        self.url = ""
        self._port = port
        self._password = password
        self._timeout_s = timeout_s
        self._child: Child | None = None

    @property
    def pid(self) -> int:
        """Process id of the warehouse."""
        if self._child is None:
            raise RuntimeError("the embedded warehouse is not running")
        return self._child.pid

    def check(self) -> None:
        """Raise `ChildFailed` when the warehouse no longer runs."""
        if self._child:
            self._child.check()

    def start(self) -> EmbeddedWarehouse:
        """Start it and wait until it answers."""
        # Asked here too, because the sentence of this error is clearer than a log's end.
        DirectoryLock(self.data_dir).release()
        argv = [
            sys.executable,
            "-m",
            "streams.embedded.warehouse",
            "--data-dir",
            str(self.data_dir),
            "--port",
            str(self._port),
        ]
        self._child = Child(
            "embedded warehouse", argv, self.data_dir / "warehouse.log", env={PASSWORD_VARIABLE: self._password}
        )
        try:
            deadline = time.monotonic() + self._timeout_s
            while time.monotonic() < deadline:
                self._child.check()
                said = holder(self.data_dir)
                if said and said.pid == self._child.pid and said.url and _answers(said.url):
                    self.url = said.url
                    return self
                time.sleep(0.02)
            raise ChildFailed(f"embedded warehouse not ready after {self._timeout_s:g} s; its log is {self._child.log}")
        except BaseException:
            self.stop()
            raise

    def kill(self) -> None:
        """End it without a chance to clean up."""
        if self._child:
            self._child.kill()
            self._child = None

    def stop(self) -> None:
        """Let it finish what runs and close its files, and wait for that."""
        if self._child:
            self._child.stop(timeout_s=30.0)
            self._child = None

    def __enter__(self) -> EmbeddedWarehouse:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _answers(url: str) -> bool:
    try:
        # Not through the proxy of the environment: this is our own machine.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{url}/ping", timeout=2.0) as answer:
            return bool(answer.read() == b"Ok.\n")
    except (urllib.error.URLError, OSError):
        return False
