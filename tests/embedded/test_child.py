"""Child processes log to a file, are stopped in time, and never outlive their parent."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from streams.embedded.child import Child, ChildFailed, free_port

SLEEP = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(60)",
]


def await_log(child: Child, text: str) -> None:
    deadline = time.monotonic() + 10
    while text not in child.log_tail():
        assert time.monotonic() < deadline, child.log_tail()
        time.sleep(0.01)


def alive(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return False


def test_a_child_that_ends_on_its_own_is_reported_with_the_end_of_its_log(tmp_path: Path) -> None:
    child = Child("thing", [sys.executable, "-c", "print('the reason'); raise SystemExit(7)"], tmp_path / "a" / "log")
    with pytest.raises(ChildFailed, match=r"thing ended with code 7[\s\S]*the reason"):
        while True:
            child.check()
            time.sleep(0.01)
    child.stop()


def test_a_child_is_asked_to_end_and_then_made_to(tmp_path: Path) -> None:
    willing = Child("willing", SLEEP, tmp_path / "willing.log")
    stubborn = Child("stubborn", STUBBORN, tmp_path / "stubborn.log")
    await_log(willing, "up")
    await_log(stubborn, "up")
    willing.stop()
    stubborn.stop(timeout_s=0.2)
    assert (-signal.SIGTERM, -signal.SIGKILL) == (willing.exit_code(), stubborn.exit_code())
    assert [False, False] == [alive(willing.pid), alive(stubborn.pid)]


def test_a_child_gets_its_environment_and_not_the_terminal_signals(tmp_path: Path) -> None:
    show = "import os; print(os.environ['ANSWER'], os.getpgid(0) == os.getpid())"
    child = Child("thing", [sys.executable, "-c", show], tmp_path / "log", env={"ANSWER": "42"})
    await_log(child, "42 True")
    child.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_a_child_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    start = (
        "import sys, time; from pathlib import Path; from streams.embedded.child import Child; "
        f"print(Child('c', {SLEEP!r}, Path(sys.argv[1])).pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", start, str(tmp_path / "log")], stdout=subprocess.PIPE) as parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        deadline = time.monotonic() + 10
        while "up" not in ((tmp_path / "log").read_text() if (tmp_path / "log").exists() else ""):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        parent.kill()
        parent.wait()
    while alive(pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_free_port_can_be_bound() -> None:
    port = free_port()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", port))
        assert ("127.0.0.1", port) == listener.getsockname()
