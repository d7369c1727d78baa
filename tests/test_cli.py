"""The command line: help for a newcomer, options that may stand anywhere, and errors that are sentences."""

from __future__ import annotations

import http.server
import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from streams.cli import hoisted, main
from streams.commands.problems import Problem, Refused, explained
from streams.config import ConfigError
from streams.kafka_connection import TopicMissing
from streams.topics import Rejected


@pytest.fixture(autouse=True)
def empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("NO_COLOR", "1")


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs one command line in this process: exit code, stdout, stderr."""

    def once(*arguments: str) -> tuple[int, str, str]:
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        out, err = capfd.readouterr()
        return int(ended.value.code or 0), out, err

    return once


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def commands() -> list[list[str]]:
    """Every command and sub-command there is."""
    import typer

    from streams.cli import app

    def below(command: object, path: list[str]) -> Iterator[list[str]]:
        children = getattr(command, "commands", None)
        if children is None:
            yield path
            return
        for name, child in children.items():
            yield from below(child, [*path, name])

    return list(below(typer.main.get_command(app), []))


def test_the_commands_are_those_of_the_handbook() -> None:
    expected = {
        "demo", "up", "doctor", "publish", "simulate", "replay", "activity", "sql", "reconcile", "restate",
        "dlq list", "dlq replay", "dlq discard", "worker", "warehouse", "broker", "migrate", "topics apply",
        "metrics list", "metrics show", "metrics export", "contract export", "contract check", "config show", "version",
    }  # fmt: skip
    assert set() == expected - {" ".join(path) for path in commands()}


@pytest.mark.parametrize("path", commands(), ids=" ".join)
def test_every_command_explains_itself_with_an_example(run: Run, path: list[str]) -> None:
    code, out, _ = run(*path, "--help")
    assert 0 == code
    if path != ["version"]:
        assert re.search(rf"streams .*{path[0]}", out.partition("Examples")[2]), out


def test_help_groups_the_commands_and_names_the_first_one_to_try(run: Run) -> None:
    code, out, _ = run("--help")
    assert 0 == code
    for panel in ("Start here", "Data in, numbers out", "Trust", "Run the parts", "Set up"):
        assert panel in out
    assert out.index("demo") < out.index("worker")


def test_help_needs_no_engine_and_no_kafka_client() -> None:
    code = (
        "import sys\nfrom streams.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "heavy = {'faust', 'chdb', 'pyarrow', 'kafka', 'clickhouse_connect', 'numpy', 'aiohttp', 'pydantic'}\n"
        "sys.stderr.write(','.join(sorted(heavy & set(sys.modules))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "" == done.stderr


def test_completion_answers_with_the_commands() -> None:
    environment = os.environ | {"_STREAMS_COMPLETE": "complete_bash", "COMP_WORDS": "streams re", "COMP_CWORD": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "streams"], capture_output=True, text=True, env=environment, check=False
    )
    assert {"reconcile", "replay", "restate"} == set(done.stdout.split())


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["up", "--set", "a=b", "--workers", "2"], ["--set", "a=b", "up", "--workers", "2"]),
        (["up", "--set=a=b", "--config=x.toml"], ["--set=a=b", "--config=x.toml", "up"]),
        (["--set", "a=b", "up", "--set", "c=d"], ["--set", "a=b", "--set", "c=d", "up"]),
        (["sql", "--", "--set", "x"], ["sql", "--", "--set", "x"]),
        (["sql", "SELECT '--set'"], ["sql", "SELECT '--set'"]),
        (["up", "--set"], ["up", "--set"]),
    ],
)
def test_global_options_may_stand_anywhere_before_a_double_dash(given: list[str], expected: list[str]) -> None:
    assert expected == hoisted(given)


def test_a_wrong_setting_is_a_usage_error_in_three_lines(run: Run) -> None:
    code, out, err = run("config", "show", "--set", "kafka.bootstrp=x")
    assert (2, "") == (code, out)
    assert [
        "error: --set kafka.bootstrp",
        "  why:  there is no setting of this name",
        "  next: did you mean --set kafka.bootstrap=... ?",
    ] == err.splitlines()


def test_an_unknown_command_is_a_usage_error(run: Run) -> None:
    code, _, err = run("dmeo")
    assert 2 == code
    assert "demo" in err


@pytest.mark.parametrize("command", [["sql", "SELECT 1"], ["activity"], ["reconcile"], ["migrate"], ["restate"]])
def test_a_warehouse_that_is_away_is_told_in_one_place(run: Run, command: list[str]) -> None:
    code, out, err = run("--set", f"warehouse.url=http://127.0.0.1:{closed_port()}", *command)
    assert (3, "") == (code, out)
    assert re.match(r"error: the warehouse .*cannot be reached\n  why:  .+\n  next: streams doctor", err), err
    assert "Traceback" not in err


@pytest.mark.parametrize("command", ["topics apply", "worker --port 0", "publish /dev/null"])
def test_a_broker_that_is_away_is_told_in_one_place(command: str) -> None:
    broker = f"kafka.bootstrap=127.0.0.1:{closed_port()}"
    line = [sys.executable, "-m", "streams", "--set", broker, *command.split()]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    code, err = done.returncode, done.stderr
    assert 3 == code
    assert re.match(r"error: the Kafka broker .*cannot be reached\n  why:  .+\n  next: .*streams up", err), err
    assert "Traceback" not in err


def test_up_refuses_a_broker_on_another_machine(run: Run) -> None:
    code, _, err = run("up", "--set", "kafka.bootstrap=kafka.example:9092")
    assert 2 == code
    assert "why:  kafka.bootstrap is kafka.example:9092" in err


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("streams.config.explain", broken)
    with pytest.raises(ZeroDivisionError):
        main(["config", "show"])


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (ConfigError("w", "y", "n"), Problem("w", "y", "n", 2)),
        (Refused("w", "y", "n", 1), Problem("w", "y", "n", 1)),
        (
            Rejected("invalid_field", "Field required", "order_id"),
            Problem(
                "the event does not follow the contract",
                "invalid_field: order_id: Field required",
                "streams contract export writes the JSON Schemas",
                1,
            ),
        ),
        (
            TopicMissing("community.orders.v1", "kafka:9092"),
            Problem(
                "topic community.orders.v1 does not exist",
                "the broker at kafka:9092 has none",
                "streams topics apply",
                1,
            ),
        ),
        (KeyError("x"), None),
    ],
)
def test_known_exceptions_become_problems(error: Exception, problem: Problem | None) -> None:
    assert problem == explained(error)


def test_the_names_of_known_exceptions_exist() -> None:
    from importlib import import_module

    from streams.commands.problems import KNOWN

    for name in KNOWN:
        module, _, kind = name.rpartition(".")
        assert issubclass(getattr(import_module(module), kind), Exception), name


def test_config_show_lists_value_and_origin(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMS_WAREHOUSE__PASSWORD", "hunter2")
    code, out, _ = run("config", "show", "--json", "--set", "kafka.partitions=9")
    rows = {row["name"]: row for row in json.loads(out)}
    assert 0 == code
    assert ("9", "flag --set kafka.partitions") == (
        rows["kafka.partitions"]["value"],
        rows["kafka.partitions"]["origin"],
    )
    assert "********" == rows["warehouse.password"]["value"]
    assert "env STREAMS_WAREHOUSE__PASSWORD" == rows["warehouse.password"]["origin"]
    code, out, _ = run("config", "show")
    assert "hunter2" not in out
    assert "env STREAMS_WAREHOUSE__PASSWORD" in out


def test_doctor_names_what_fails_and_the_next_step(run: Run) -> None:
    ports = [closed_port() for _ in range(3)]
    flags = [
        "--set", f"kafka.bootstrap=127.0.0.1:{ports[0]}",
        "--set", f"warehouse.url=http://127.0.0.1:{ports[1]}",
        "--set", f"worker.port={ports[2]}",
    ]  # fmt: skip
    code, out, _ = run(*flags, "doctor")
    assert 1 == code
    assert re.search(r"FAIL  broker .*\n +next: streams up", out), out
    assert "3 failing" in out
    code, out, _ = run(*flags, "doctor", "--json")
    report = json.loads(out)
    assert (1, "fail") == (code, report["status"])
    assert {"name", "status", "found", "next"} == set(report["checks"][0])


class Server(http.server.HTTPServer):
    """An HTTP server that remembers the last request, and answers with what it was told to."""

    asked: tuple[dict[str, list[str]], bytes, str | None]
    answer: tuple[int, bytes]


@contextmanager
def server_that_answers(code: int, body: bytes) -> Iterator[Server]:
    class Answer(http.server.BaseHTTPRequestHandler):
        server: Server

        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers["Content-Length"]))
            self.server.asked = parse_qs(urlsplit(self.path).query), text, self.headers["X-ClickHouse-Key"]
            self.send_response(self.server.answer[0])
            self.end_headers()
            self.wfile.write(self.server.answer[1])

        def log_message(self, *arguments: object) -> None:
            pass

    with Server(("127.0.0.1", 0), Answer) as server:
        server.answer = code, body
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_sql_asks_in_the_analysts_database_and_passes_the_answer_on_unchanged(run: Run) -> None:
    with server_that_answers(200, "名\t1\n".encode()) as server:
        url = f"http://127.0.0.1:{server.server_port}"
        code, out, _ = run("--set", f"warehouse.url={url}", "--set", "warehouse.password=p", "sql", "SELECT 1")
    options, text, key = server.asked
    assert (0, "名\t1\n") == (code, out)
    assert (["community"], ["TSV"], b"SELECT 1", "p") == (options["database"], options["default_format"], text, key)


def test_sql_says_what_clickhouse_said(run: Run) -> None:
    with server_that_answers(404, b"Code: 60. DB::Exception: Unknown table nope. (UNKNOWN_TABLE)") as server:
        code, out, err = run(
            "--set", f"warehouse.url=http://127.0.0.1:{server.server_port}", "sql", "SELECT * FROM nope"
        )
    assert (1, "") == (code, out)
    assert "Unknown table nope" in err
    assert 'next: streams sql "SHOW TABLES"' in err


def test_sql_reads_the_query_from_standard_input() -> None:
    with server_that_answers(200, b"1\n") as server:
        done = subprocess.run(
            [sys.executable, "-m", "streams", "sql", "-", "-f", "CSV"],
            input="SELECT 1\nFROM x",
            capture_output=True,
            text=True,
            env=os.environ | {"STREAMS_WAREHOUSE__URL": f"http://127.0.0.1:{server.server_port}"},
            check=True,
        )
    assert "1\n" == done.stdout
    assert (["CSV"], b"SELECT 1\nFROM x") == (server.asked[0]["default_format"], server.asked[1])


def test_sql_into_a_closed_pipe_is_silent() -> None:
    with server_that_answers(200, b"x\n" * 500_000) as server:
        done = subprocess.run(
            f"{sys.executable} -m streams sql 'SELECT 1' | head -n 1",
            shell=True,
            capture_output=True,
            text=True,
            env=os.environ | {"STREAMS_WAREHOUSE__URL": f"http://127.0.0.1:{server.server_port}"},
            check=True,
        )
    assert ("x\n", "") == (done.stdout, done.stderr)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--from", "yesterday"], "this is no date or time"),
        (["--from", "2026-02-01", "--to", "2026-01-01"], "is not before"),
    ],
)
def test_a_range_that_is_none_is_refused_before_anything_is_asked(run: Run, arguments: list[str], why: str) -> None:
    code, _, err = run("reconcile", *arguments)
    assert 2 == code
    assert why in err


def test_contract_check_tells_stale_and_breaking_changes_apart(run: Run, tmp_path: Path) -> None:
    assert (0, "") == run("contract", "export", "--dir", "kept")[::2]
    assert 0 == run("contract", "check", "--dir", "kept")[0]
    path = tmp_path / "kept" / "schemas" / "message.json"
    schema = json.loads(path.read_text())
    schema["properties"]["mood"] = {"type": "string"}
    path.write_text(json.dumps(schema))
    code, out, _ = run("contract", "check", "--dir", "kept")
    assert 1 == code
    assert [
        "stale: schemas/message.json differs from the models",
        "breaking: message: mood: removed",
    ] == out.splitlines()
    assert 2 == run("contract", "check", "--dir", "nowhere")[0]


def test_contract_check_compares_with_a_folder_or_refuses_an_unknown_revision(run: Run, tmp_path: Path) -> None:
    run("contract", "export", "--dir", "old")
    run("contract", "export", "--dir", "kept")
    path = tmp_path / "old" / "schemas" / "order.json"
    schema = json.loads(path.read_text())
    schema["required"].remove("order_id")
    path.write_text(json.dumps(schema))
    code, out, _ = run("contract", "check", "--dir", "kept", "--against", "old")
    assert (1, "breaking: order: order_id: newly required\n") == (code, out)
    schema["required"].append("order_id")
    path.write_text(json.dumps(schema))
    (tmp_path / "old" / "schemas" / "poll.json").write_text("{}")
    code, out, _ = run("contract", "check", "--dir", "kept", "--against", "old")
    assert (1, "breaking: poll: the family is gone\n") == (code, out)
    code, _, err = run("contract", "check", "--dir", "kept", "--against", "v0")
    assert 2 == code
    assert "--against v0" in err


def test_contract_check_compares_with_a_git_revision(run: Run) -> None:
    run("contract", "export", "--dir", "kept")
    Path("kept/schemas/poll.json").write_text("{}")
    commit = "-c user.name=a -c user.email=a commit -qm kept"
    for line in ("init -q", "add kept", commit, "rm -q kept/schemas/poll.json"):
        subprocess.run(["git", *line.split()], check=True)
    code, out, _ = run("contract", "check", "--dir", "kept", "--against", "HEAD")
    assert (1, "breaking: poll: the family is gone\n") == (code, out)


def test_version_names_package_and_engines(run: Run) -> None:
    code, out, _ = run("version")
    assert 0 == code
    assert re.match(r"community-streams \d+\.\d+\.\d+\npython 3\.", out)
    assert "chdb-core 26" in out
