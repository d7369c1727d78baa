"""A child process that dies with its parent, logs to a file and never sees the terminal's Ctrl-C."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

# Runs in the child before the program: Python between fork and exec (preexec_fn) can deadlock in a process with
# threads. The parent may be gone before the request is made, hence the second look.
_DIE_WITH_PARENT = """
import ctypes, os, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, 15)
    if os.getppid() != int(sys.argv[1]):
        sys.exit(1)
os.execv(sys.argv[2], sys.argv[2:])
"""

LOG_TAIL_BYTES = 2000


class ChildFailed(Exception):
    """A child process did not start or ended on its own; the message holds the end of its log."""


def free_port(host: str = "127.0.0.1") -> int:
    """A TCP port nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


class Child:
    """One started program.

    `argv[0]` is an absolute path. Output goes to `log`. The kernel ends the child (SIGTERM) when the *thread* that
    started it ends, so start children from a thread that lives as long as they should.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        log: Path,
        env: Mapping[str, str] | None = None,
        pass_fds: Sequence[int] = (),
    ) -> None:
        self.name = name
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _DIE_WITH_PARENT, str(os.getpid()), *argv],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                pass_fds=tuple(pass_fds),
                process_group=0,  # Ctrl-C is for the parent, which ends its children in order
            )

    @property
    def pid(self) -> int:
        """Process id; the same before and after the program replaced the starter."""
        return self._process.pid

    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def check(self) -> None:
        """Raise `ChildFailed` when it no longer runs."""
        code = self.exit_code()
        if code is not None:
            raise ChildFailed(f"{self.name} ended with code {code}. Its log {self.log} ends:\n{self.log_tail()}")

    def log_tail(self) -> str:
        """The last lines of the log."""
        try:
            return self.log.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace").strip()
        except OSError:
            return ""

    def stop(self, timeout_s: float = 10.0) -> None:
        """Ask it to end, insist after `timeout_s`, and wait until it is gone."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._process.wait()

    def kill(self) -> None:
        """End it without a chance to clean up (SIGKILL), and wait until it is gone."""
        self._process.kill()
        self._process.wait()
