"""Units of tests: what shares something dear is one, and the slow ones that are named are there."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from schedule import SLOWEST_FIRST, place, unit

HERE = Path(__file__).parent


def files() -> dict[str, set[str]]:
    """Files of each unit."""
    found = defaultdict(set)
    for path in HERE.rglob("test_*.py"):
        found[unit(f"tests/{path.relative_to(HERE)}::test_something[a/test_real_b.py]")].add(path.name)
    return found


def test_files_that_share_a_deployment_or_a_replay_are_one_unit_and_every_other_file_is_its_own() -> None:
    units = files()
    assert {path.name for path in (HERE / "chaos").glob("test_*.py")} == units.pop("chaos")
    replaying = {path.name for path in HERE.rglob("test_*.py") if "replays: Replays" in path.read_text()}
    assert replaying - {Path(__file__).name} <= units.pop("real traces")
    assert {name: {name} for name in units} == units


def test_the_units_that_come_first_are_there_and_in_order() -> None:
    assert set(SLOWEST_FIRST) <= set(files())
    named = ["tests/laws/test_crash.py::test_a", "tests/test_a.py::test_b", "tests/chaos/test_kills.py::test_c"]
    assert [named[2], named[0], named[1]] == sorted(named, key=place)
