"""The catalog is complete: every metric says everything, every view is explained, every column it names exists."""

from __future__ import annotations

import importlib
import re
from collections import Counter
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from pipeline import Lab

from streams import catalog
from streams.catalog import ALL, COLUMNS, RELATIONS, Metric
from streams.catalog.comments import column_comments, statement, view_comment, views
from streams.sql_files import sql_root, view_files

FILES = sorted(Path(catalog.__file__).parent.glob("*.py"))
VIEWS = sorted(view_files())


def defined(name: str) -> list[Any]:
    """What the files define under `name`; the files that only read it import it instead."""
    parts = [file for file in FILES if file.stem != "__init__"]
    owners = [file.stem for file in parts if re.search(rf"^{name}\b", file.read_text(), re.M)]
    return [one for stem in owners for one in getattr(importlib.import_module(f"streams.catalog.{stem}"), name)]


def test_everything_in_every_file_is_listed() -> None:
    assert sorted(one.name for one in defined("METRICS")) == sorted(metric.name for metric in ALL)
    assert sorted(one.view for one in defined("RELATIONS")) == sorted(relation.view for relation in RELATIONS)


def test_no_two_metrics_have_the_same_name_or_title() -> None:
    assert [] == [name for name, count in Counter(metric.name for metric in ALL).items() if count > 1]
    assert [] == [title for title, count in Counter(metric.title for metric in ALL).items() if count > 1]


@pytest.mark.parametrize("metric", ALL, ids=lambda metric: metric.name)
def test_a_metric_says_everything(metric: Metric) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]*", metric.name)
    texts = {field.name: getattr(metric, field.name) for field in fields(metric) if field.name != "also"}
    assert [] == [name for name, value in texts.items() if not value]
    for sentence in (metric.words, metric.formula, *metric.caveats):
        assert sentence[0].isupper() and sentence[-1] in ".?", (
            f"begins in upper case and ends in a full stop: {sentence}"
        )
    wordy = [name for name, words in metric.columns.items() if not words.strip() or words.endswith(".")]
    assert [] == wordy, "the words of a column are no sentence: without a full stop"


def test_every_view_is_explained_and_no_other() -> None:
    unexplained = set(VIEWS) - set(views())
    assert set() == unexplained, "a view belongs to a Metric, or is a Relation, in a file of streams/catalog"
    assert set() == set(views()) - set(VIEWS)
    assert [] == [view for view in VIEWS if not view_comment(view).strip()]


def test_every_view_by_segment_withholds_counts_of_few_members() -> None:
    files = {file.name: file.read_text() for file in (sql_root() / "views").glob("*segment*.sql")}
    own = {name for name, sql in files.items() if "SELECT * FROM" not in sql}
    assert len(own) >= 4
    assert [] == [name for name in own if "{smallest_cohort}" not in files[name]]


def test_words_that_hold_for_every_view_are_not_repeated() -> None:
    repeated = [
        (where.view, name)
        for where in (*ALL, *RELATIONS)
        for name, words in where.columns.items()
        if COLUMNS.get(name) == words
    ]
    assert [] == repeated


def shown(lab: Lab) -> dict[str, list[str]]:
    """View -> its columns, as the engine has them; a view with parameters shows none."""
    rows = lab.warehouse.rows(
        "SELECT table, groupArray(name) FROM "
        "(SELECT table, name FROM system.columns WHERE database = {d:String} ORDER BY table, position) GROUP BY table",
        {"d": lab.settings.warehouse.database},
    )
    return dict(rows)


@pytest.mark.connected
def test_every_column_a_metric_names_is_there(lab: Lab) -> None:
    found = shown(lab)
    missing = [
        (each.view, column) for each in (*ALL, *RELATIONS) for column in each.columns if column not in found[each.view]
    ]
    assert [] == missing, "a view has no such column: correct columns= of its Metric"
    others = [
        (view, column)
        for metric in ALL
        for view in metric.also
        for column in metric.columns
        if view in found and column not in found[view]
    ]
    assert [] == others


@pytest.mark.connected
def test_the_warehouse_explains_every_view_and_every_column(lab: Lab) -> None:
    of_analysts = {"d": lab.settings.warehouse.database}
    tables = lab.warehouse.rows("SELECT name, comment FROM system.tables WHERE database = {d:String}", of_analysts)
    assert {view: view_comment(view) for view in VIEWS} == dict(tables)
    columns = lab.warehouse.rows(
        "SELECT table, name, comment FROM system.columns WHERE database = {d:String}", of_analysts
    )
    unexplained = [(view, name) for view, name, comment in columns if not comment]
    assert [] == unexplained, "give it words in columns= of its Metric"
    known = {(view, name): words for view in VIEWS for name, words in column_comments(view).items()}
    assert [] == [
        (view, name, comment) for view, name, comment in columns if comment != known.get((view, name), comment)
    ]


@pytest.mark.connected
def test_a_column_the_catalog_does_not_explain_says_what_the_stored_one_says(lab: Lab) -> None:
    assert [("Emoji or name of the reaction",)] == lab.warehouse.rows(
        "SELECT comment FROM system.columns WHERE database = {d:String} AND table = 'events' AND name = 'reaction'",
        {"d": lab.settings.warehouse.database},
    )


@pytest.mark.connected
def test_every_view_checks_keys_before_it_merges_rows(lab: Lab) -> None:
    others = lab.warehouse.rows(
        "SELECT name FROM system.tables WHERE database = {d:String} "
        "AND create_table_query NOT LIKE '%SETTINGS optimize_move_to_prewhere_if_final = 1%'",
        {"d": lab.settings.warehouse.database},
    )
    assert [] == others


ARGUMENTS = {"DateTime": "'2026-01-31 12:00:00'", "Date": "'2026-01-31'", "UInt16": "28"}


@pytest.mark.connected
@pytest.mark.parametrize("view", VIEWS)
def test_every_view_answers_before_anything_has_happened(lab: Lab, view: str) -> None:
    _, sql = view_files()[view]
    wanted = dict(re.findall(r"\{(\w+):(\w+)", sql))
    given = ", ".join(f"{name} = {ARGUMENTS[kind]}" for name, kind in sorted(wanted.items()))
    rows = lab.warehouse.rows(f"SELECT * FROM {{db}}.{view}{f'({given})' if given else ''}")
    assert (1 if view == "pipeline_watermark" else 0) == len(rows)


def test_quotes_and_backslashes_in_words_stay_what_they_are() -> None:
    made = statement("dead_letters", {"whose": "Ann's \\ day"})
    assert made.startswith(r"ALTER TABLE {db}.dead_letters COMMENT COLUMN `whose` 'Ann\'s \\ day', MODIFY COMMENT '")
