"""The whole stack as a user runs it: it starts, says where it is, hides no failure and leaves nothing behind."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest

from streams.clickhouse import Warehouse
from streams.embedded.stack import RESTARTS, Stack, StackError, health
from streams.publisher import Publisher
from streams.settings import KafkaSettings, Settings, WarehouseSettings, WorkerSettings

pytestmark = pytest.mark.connected

ANY_PORT = {
    "STREAMS_KAFKA__BOOTSTRAP": "127.0.0.1:0",
    "STREAMS_WAREHOUSE__URL": "http://127.0.0.1:0",
    "STREAMS_WORKER__PORT": "0",
    # A worker joins its group after about half of this.
    "STREAMS_KAFKA__SESSION_TIMEOUT_S": "4",
}
PATH = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
START_S = 90.0


def plain() -> dict[str, str]:
    """The environment without what this machine's says of our settings."""
    return {name: value for name, value in os.environ.items() if not name.startswith("STREAMS_")}


class Command:
    """A running `streams ...` with its output so far."""

    def __init__(self, *arguments: str, data_dir: Path, **environment: str) -> None:
        self.data_dir = data_dir
        self.output = data_dir.parent / f"{data_dir.name}.out"
        with self.output.open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "streams", *arguments, "--data-dir", str(data_dir)],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env=plain() | ANY_PORT | environment,
                start_new_session=True,
            )

    def text(self) -> str:
        return self.output.read_text()

    def await_line(self, pattern: str) -> re.Match[str]:
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            found = re.search(pattern, self.text())
            if found:
                return found
            assert self.process.poll() is None, self.text()
            time.sleep(0.1)
        raise AssertionError(f"no {pattern!r} in:\n{self.text()}")

    def children(self) -> dict[str, psutil.Process]:
        """Broker, warehouse and worker."""
        found = {}
        for child in psutil.Process(self.process.pid).children(recursive=True):
            line = " ".join(child.cmdline())
            for name, sign in (
                ("warehouse", "embedded.warehouse"),
                ("worker", "streams worker"),
                ("broker", "memory://"),
            ):
                if sign in line:
                    found[name] = child
        return found

    def await_children(self, count: int = 3) -> dict[str, psutil.Process]:
        deadline = time.monotonic() + START_S
        while len(children := self.children()) < count:
            assert time.monotonic() < deadline and self.process.poll() is None, self.text()
            time.sleep(0.02)
        return children


@contextmanager
def running(*arguments: str, data_dir: Path, **environment: str) -> Iterator[Command]:
    command = Command(*arguments, data_dir=data_dir, **environment)
    try:
        yield command
    finally:
        if command.process.poll() is None:
            command.process.terminate()
        command.process.wait(60)


def settings_on(data_dir: Path, **changes: Any) -> Settings:
    chosen: dict[str, Any] = {
        "kafka": KafkaSettings(bootstrap="127.0.0.1:0"),
        "warehouse": WarehouseSettings(url="http://127.0.0.1:0"),
        "worker": WorkerSettings(port=0),
    }
    return Settings(data_dir=data_dir, **(chosen | changes))


def number(text: str, pattern: str) -> int:
    found = re.search(pattern, text)
    assert found, text
    return int(found[1].replace(",", ""))


def gone(processes: list[psutil.Process], within_s: float) -> bool:
    _, alive = psutil.wait_procs(processes, timeout=within_s)
    return not [one for one in alive if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Command]:
    """A stack that is running; the last test that uses it ends it."""
    with running("up", data_dir=tmp_path_factory.mktemp("up") / "data", **PATH) as up:
        up.await_line("running; Ctrl-C stops everything")
        yield up


def test_up_says_where_it_is(up: Command) -> None:
    assert {"broker", "warehouse", "worker"} == set(up.children())
    host, port = up.await_line(r"http://([\d.]+):(\d+)/health").groups()
    assert 200 == health(host, int(port))[0]
    assert {"broker.log", "worker-1.log"} <= {path.name for path in (up.data_dir / "logs").iterdir()}


def test_what_up_suggests_to_try_works_as_it_is_printed(up: Command) -> None:
    export, *commands = re.findall(r"^  ((?:export|streams|echo|curl) .*)$", up.text(), re.MULTILINE)

    def shell(command: str) -> str:
        done = subprocess.run(
            ["sh", "-c", f"{export}; {command}"], capture_output=True, text=True, env=plain() | PATH, check=False
        )
        assert 0 == done.returncode, command + done.stdout + done.stderr
        return done.stdout

    publish = next(command for command in commands if "publish -" in command)
    assert "1 events published" in shell(publish)
    deadline = time.monotonic() + START_S
    while '"28d": 1' not in (activity := shell("streams activity --json --community my-community")):
        assert time.monotonic() < deadline, activity
        time.sleep(0.5)
    summary = json.loads(activity)
    assert 0 == summary["lag"]
    assert [("my-community", {"5m": 1, "1h": 1, "24h": 1, "7d": 1, "28d": 1})] == [
        (one["community_id"], one["contributing_members"]) for one in summary["communities"]
    ]
    printed = {command.split()[0] + " " + command.split()[1]: shell(command) for command in commands}
    assert re.match(r"my-community: events 5m=1 1h=1 .*\nfresh up to \d{4}-", printed["streams activity"])
    assert 5 == printed["streams sql"].count("my-community")
    assert "all well" in printed["streams doctor"]
    assert "message\t1\n" == next(text for name, text in printed.items() if name.startswith("curl"))
    assert "[]" == shell("streams reconcile --json").strip()
    assert "all applied" in shell("streams migrate --status")
    assert re.search(r"[1-9]\d* buckets recomputed", shell("streams restate --community my-community"))
    assert {"type": "message"} == json.loads(shell("streams sql 'SELECT type FROM events' -f JSONEachRow"))


def test_up_ends_with_everything_it_started(up: Command) -> None:
    children = up.children()
    up.process.terminate()
    assert 0 == up.process.wait(60)
    assert gone(list(children.values()), 1)
    assert up.text().endswith("stopping ...\nstopped\n")


def test_ctrl_c_while_it_starts_leaves_nothing_behind(tmp_path: Path) -> None:
    with running("up", data_dir=tmp_path / "data") as up:
        children = up.await_children(2)
        up.process.send_signal(signal.SIGINT)
        assert 0 == up.process.wait(60)
        assert gone(list(children.values()), 1)


def test_a_command_runs_against_the_stack_and_its_code_is_ours(tmp_path: Path) -> None:
    line = "streams doctor --json && echo $STREAMS_KAFKA__BOOTSTRAP && exit 7"
    done = subprocess.run(
        [sys.executable, "-m", "streams", "up", "--data-dir", str(tmp_path), "--", "sh", "-c", line],
        capture_output=True,
        text=True,
        env=plain() | ANY_PORT | PATH,
        check=False,
    )
    assert 7 == done.returncode, done.stdout + done.stderr
    report, _, bootstrap = done.stdout.rpartition("}\n")
    checks = json.loads(report + "}")["checks"]
    assert [] == [check for check in checks if check["status"] == "fail"]
    assert f"publish to  {bootstrap.strip()} " in done.stderr


def test_when_the_parent_is_killed_the_children_end_too(tmp_path: Path) -> None:
    with running("up", data_dir=tmp_path / "data") as up:
        children = list(up.await_children().values())
        up.process.kill()
        assert gone(children, 30)


@pytest.mark.thorough
def test_a_worker_that_dies_is_started_again_and_one_that_keeps_dying_ends_the_stack(tmp_path: Path) -> None:
    with running("up", data_dir=tmp_path / "data") as up:
        for life in range(RESTARTS + 1):
            worker = up.await_children()["worker"]
            worker.kill()
            if life < RESTARTS:
                up.await_line(rf"(worker 1 ended with code -9 and is started again[\s\S]*){{{life + 1}}}")
        assert 3 == up.process.wait(60)
        assert re.search(r"error: a part of the stack has ended\n  why:  worker 1 ended with code -9", up.text()), (
            up.text()
        )


@pytest.mark.parametrize("victim", ["broker", "warehouse"])
def test_a_part_that_dies_is_told_with_its_log_and_ends_the_rest(tmp_path: Path, victim: str) -> None:
    with running("up", data_dir=tmp_path / "data") as up:
        children = up.await_children()
        children[victim].kill()
        assert 3 == up.process.wait(60)
        assert gone(list(children.values()), 1)
        told = rf"error: a part of the stack has ended\n  why:  .*{victim}.* ended with code -9\. Its log"
        assert re.search(told, up.text()), up.text()
        assert "Traceback" not in up.text()


def test_one_directory_serves_one_stack_at_a_time_and_keeps_the_facts(tmp_path: Path) -> None:
    with Stack(settings_on(tmp_path), workers=0) as stack:
        with pytest.raises(StackError) as raised:
            Stack(settings_on(tmp_path), workers=0).start()
        assert (2, f"{tmp_path} is in use") == (raised.value.code, raised.value.what)
        assert f"process {os.getpid()} runs a stack" in raised.value.why
        warehouse = Warehouse(stack.settings.warehouse)
        warehouse.command("CREATE TABLE {store}.kept ENGINE = MergeTree ORDER BY x AS SELECT 7 AS x")
        warehouse.close()
    with Stack(settings_on(tmp_path), workers=0) as again:
        assert {"broker", "warehouse"} == set(again.pids)
        warehouse = Warehouse(again.settings.warehouse)
        assert [(7,)] == warehouse.rows("SELECT x FROM {store}.kept")
        warehouse.close()


def test_a_port_that_is_taken_is_replaced_and_told(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said: list[str] = []
        settings = settings_on(tmp_path, kafka=KafkaSettings(bootstrap=f"127.0.0.1:{port}"))
        with Stack(settings, workers=0, say=said.append) as stack:
            assert [f"port {port} is taken, the broker uses {stack.settings.kafka.bootstrap.split(':')[1]}"] == said


def test_two_stacks_that_start_at_once_do_not_choose_the_same_port(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    said: list[str] = []
    first = Stack(settings_on(tmp_path / "a"), workers=0)
    second = Stack(settings_on(tmp_path / "b"), workers=0, say=said.append)
    # As a worker's port is chosen, some time before the worker binds it.
    assert port == first._port("worker 1", port)
    other = second._port("worker 1", port)
    assert [f"port {port} is taken, worker 1 uses {other}"] == said
    first.stop()
    assert port == second._port("worker 1", port)
    second.stop()


def test_a_stack_that_cannot_start_leaves_nothing_behind(tmp_path: Path) -> None:
    broken = tmp_path / "warehouse"
    broken.write_text("the engine wants a directory here")
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    with pytest.raises(StackError, match="did not start"):
        Stack(settings_on(tmp_path), workers=0).start()
    assert before == {child.pid for child in psutil.Process().children(recursive=True)}


def test_the_demo_ends_by_itself_and_its_numbers_add_up(tmp_path: Path) -> None:
    options = ["--duration", "20", "--history", "3000", "--communities", "3", "--rate", "50"]
    with running("demo", *options, data_dir=tmp_path / "data") as demo:
        assert 0 == demo.process.wait(180), demo.text()
    text = demo.text()
    published, stored = (number(text, rf"{what} +([\d,]+)  ok") for what in ("events published", "facts stored"))
    assert published == stored
    assert 2000 < stored < 5000
    for sign in (
        "publish to  127.0.0.1:",
        "first numbers after",
        "dawn-makeup: events",
        "differences                0  ok",
    ):
        assert sign in text
    assert text.rstrip().endswith("stopping")


@pytest.mark.thorough
def test_ctrl_c_ends_the_demo_with_everything_counted_and_nothing_left_running(tmp_path: Path) -> None:
    options = ["--history", "500", "--communities", "1"]
    with running("demo", *options, data_dir=tmp_path / "data") as demo:
        demo.await_line("first numbers after")
        demo.await_children()
        children = psutil.Process(demo.process.pid).children(recursive=True)
        os.killpg(demo.process.pid, signal.SIGINT)  # as a terminal does: to all that belong to what runs in it
        assert 0 == demo.process.wait(120), demo.text()
        assert gone(children, 1)
    text = demo.text()
    published, stored = (number(text, rf"{what} +([\d,]+)  ok") for what in ("events published", "facts stored"))
    assert published == stored > 0
    assert re.search(r"ending\n[\s\S]*the numbers add up\n[\s\S]*stopping$", text.rstrip()), text
    assert "Traceback" not in text


@pytest.mark.thorough
def test_the_demo_fails_when_a_number_does_not_add_up(tmp_path: Path) -> None:
    options = ["--duration", "8", "--history", "500", "--communities", "1"]
    with running("demo", *options, data_dir=tmp_path / "data") as demo:
        bootstrap = demo.await_line(r"publish to  (\S+)")[1]
        with Publisher(KafkaSettings(bootstrap=bootstrap)) as publisher:
            for community in ("dawn-makeup", "of-somebody-else"):
                publisher.publish(
                    {
                        "event_id": "not-of-the-demo",
                        "type": "message",
                        "platform": "test",
                        "community_id": community,
                        "member_id": "m",
                        "occurred_at": datetime.now(UTC).isoformat(),
                        "text": "hello",
                    }
                )
        code = demo.process.wait(180)
    text = demo.text()
    assert 1 == code, text
    published = number(text, r"events published +([\d,]+)  ok")
    assert f"facts stored      {published + 1:>10,}  WRONG" in text
    assert "THE NUMBERS DO NOT ADD UP" in text
