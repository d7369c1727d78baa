"""`streams metrics`: the list, one metric with its SQL, and the document that is kept current."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from streams.catalog import ALL
from streams.cli import main


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(["metrics", *arguments])
    out, err = capsys.readouterr()
    return int(ended.value.code or 0), out, err


@pytest.mark.parametrize("arguments", [("--json",), ("list", "--json")], ids=" ".join)
def test_the_list_as_json_is_the_catalog_with_its_sql(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    code, out, _ = run(capsys, *arguments)
    listed = json.loads(out)
    assert (0, [metric.name for metric in ALL]) == (code, [one["name"] for one in listed])
    # Names of databases are filled in, parameters of a view are not.
    assert [] == [one["name"] for one in listed if "{db}" in one["sql"] or "{store}" in one["sql"]]
    assert [] == [one["name"] for one in listed if f"VIEW community.{one['view']} AS" not in one["sql"]]


def test_the_list_for_people_names_every_metric(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys)
    assert (0, []) == (code, [metric.name for metric in ALL if metric.name not in out])


@pytest.mark.parametrize("name", ["activity", "activity_hour"])
def test_one_metric_is_shown_whole_by_its_name_or_a_view_of_it(capsys: pytest.CaptureFixture[str], name: str) -> None:
    code, out, _ = run(capsys, "show", name)
    metric = next(metric for metric in ALL if metric.name == "activity")
    said = (metric.words, metric.formula, metric.unit, metric.reference, *metric.caveats, *metric.columns.values())
    assert (0, []) == (code, [text for text in said if text not in out])
    assert "CREATE OR REPLACE VIEW community.activity_day AS" in out


def test_a_wrong_name_is_refused_with_what_is_near(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "show", "activity_by_sgment")
    assert (2, "") == (code, out)
    assert [
        "error: there is no metric activity_by_sgment",
        "  why:  near it: activity_by_segment, rolling_activity_by_segment, activity",
        "  next: streams metrics list",
    ] == err.splitlines()


def test_a_document_that_is_not_current_is_a_finding(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "docs" / "metrics.md"
    assert 1 == run(capsys, "export", "--check", "--file", str(file))[0]
    assert 0 == run(capsys, "export", "--file", str(file))[0]
    assert 0 == run(capsys, "export", "--check", "--file", str(file))[0]
    file.write_text(file.read_text().replace("Activity", "Activities"))
    assert 1 == run(capsys, "export", "--check", "--file", str(file))[0]


def test_the_committed_document_is_as_the_catalog_says(capsys: pytest.CaptureFixture[str]) -> None:
    document = Path(__file__).resolve().parents[2] / "docs" / "metrics.md"
    assert (0, "", "") == run(capsys, "export", "--check", "--file", str(document)), (
        "make cookbook, look at the differences, and commit docs/"
    )
