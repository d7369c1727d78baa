"""A data directory has one user at a time and is repaired when the engine could not open it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from streams.embedded.directory import (
    ENGINE_DIRECTORY,
    LOCK_FILE,
    QUARANTINE,
    DirectoryInUse,
    DirectoryLock,
    Holder,
    check_directory,
    holder,
    repair_directory,
)

HOLD = "import sys, pathlib, streams.embedded.directory as d; l = d.DirectoryLock(pathlib.Path(sys.argv[1])); " + (
    "l.announce('http://127.0.0.1:1'); print('held', flush=True); sys.stdin.read()"
)


def test_a_second_process_is_told_who_holds_the_directory(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout and other.stdin
        other.stdout.readline()
        assert Holder(other.pid, "http://127.0.0.1:1") == holder(tmp_path)
        with pytest.raises(DirectoryInUse, match=rf"process {other.pid} \(http://127.0.0.1:1\)"):
            DirectoryLock(tmp_path)
        other.kill()
        other.wait()
        DirectoryLock(tmp_path).release()


def test_a_lock_file_that_says_nothing_is_no_holder(tmp_path: Path) -> None:
    assert holder(tmp_path) is None
    (tmp_path / LOCK_FILE).write_text(json.dumps({"pid": "?"}))
    assert holder(tmp_path) is None
    lock = DirectoryLock(tmp_path)
    assert Holder(os.getpid(), "") == holder(tmp_path)
    lock.release()
    assert holder(tmp_path) is None


def test_a_table_the_engine_cannot_open_is_found_and_moved_aside(tmp_path: Path) -> None:
    metadata = tmp_path / ENGINE_DIRECTORY / "metadata" / "default"
    metadata.mkdir(parents=True)
    good = metadata / "good.sql"
    good.write_text("ATTACH TABLE good (`a` Int8) ENGINE = MergeTree ORDER BY a COMMENT 'fed from Kafka'")
    bad = metadata / "bad.sql"
    bad.write_text("ATTACH TABLE bad (`a` Int8)\nENGINE = Kafka('x')")

    problems = check_directory(tmp_path)
    assert [True] == [str(bad) in problem and "ENGINE = Kafka" in problem for problem in problems]
    done = repair_directory(tmp_path)
    assert 1 == len(done)
    assert ([], True, False) == (check_directory(tmp_path), good.exists(), bad.exists())
    assert (tmp_path / QUARANTINE / "metadata" / "default" / "bad.sql").read_text().startswith("ATTACH TABLE bad")


def test_a_directory_in_use_is_not_repaired(tmp_path: Path) -> None:
    lock = DirectoryLock(tmp_path)
    with pytest.raises(DirectoryInUse):
        repair_directory(tmp_path)
    lock.release()
