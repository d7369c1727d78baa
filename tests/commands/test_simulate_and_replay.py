"""`streams simulate` and `streams replay` as far as they need no broker."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from streams.commands.problems import Refused
from streams.commands.replay import replay
from streams.commands.simulate import simulate
from streams.topics import parse
from streams.traces import TRACES

DAY = ["--start", "2026-03-02", "--end", "2026-03-03", "--rate", "0.02"]

app = typer.Typer()
app.command()(simulate)
app.command()(replay)


def run(*arguments: str):
    result = CliRunner().invoke(app, list(arguments))
    if isinstance(result.exception, Refused):
        raise result.exception
    return result


def test_simulated_events_are_written_as_valid_lines_and_summed_up(tmp_path):
    out = tmp_path / "events.ndjson"
    result = run("simulate", *DAY, "--out", str(out))
    events = [json.loads(line) for line in out.read_bytes().splitlines()]
    for event in events:
        parse(event)
    assert 0 == result.exit_code
    assert result.stderr.startswith(f"{len(events):,} events written")
    assert f"message {sum(event['type'] == 'message' for event in events):,}" in result.stderr


def test_a_run_can_be_repeated_byte_for_byte(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    for out in (one, other):
        run("simulate", *DAY, "--late", "0.1", "--broken", "0.05", "--duplicates", "0.1", "--out", str(out))
    assert one.read_bytes() == other.read_bytes()


def test_standard_output_holds_nothing_but_events():
    result = run("simulate", *DAY, "--out", "-", "--limit", "7")
    assert 7 == len([parse(json.loads(line)) for line in result.stdout.splitlines()])


def test_a_drop_is_told_of(tmp_path):
    drop = "slow-kitchen,2026-03-02,2026-03-03,1.0"
    result = run("simulate", *DAY, "--drop", drop, "--out", str(tmp_path / "out"))
    assert b"slow-kitchen" not in (tmp_path / "out").read_bytes()
    assert " dropped, 0 duplicated, 0 late, 0 broken" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["--start", "yesterday"], "is not a time"),
        (["--start", "2026-03-02", "--end", "2026-03-01"], "no history"),
        (["--live", "--end", "2026-03-02"], "exclude each other"),
        (["--drop", "slow-kitchen,2026-03-02"], "--drop"),
        (["--drop", "slow-kitchen,2026-03-02,2026-03-03,lots"], "--drop"),
        ([*DAY, "--out", "/does/not/exist/events"], "cannot be written"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_reason(arguments, what):
    with pytest.raises(Refused) as refused:
        run("simulate", *arguments)
    assert what in str(refused.value.problem)


def test_replay_without_a_trace_lists_them(tmp_path):
    (tmp_path / "irc_duraspace").mkdir()
    lines = run("replay", "--data", str(tmp_path)).stdout.splitlines()
    assert list(TRACES) == [line.split()[0] for line in lines]
    assert {"irc_duraspace"} == {line.split()[0] for line in lines if "(not found)" not in line}


@pytest.mark.parametrize(
    ("arguments", "what"),
    [(["moon_landing"], "there is no trace moon_landing"), (["irc_duraspace"], "name the folder that holds it")],
)
def test_replay_says_what_is_missing(tmp_path: Path, arguments, what):
    with pytest.raises(Refused) as refused:
        run("replay", *arguments, "--data", str(tmp_path))
    assert what in str(refused.value.problem)
