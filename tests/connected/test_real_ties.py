"""Who answered whom in a real community: the bicycles site, against a reading of its tables of its own."""

from __future__ import annotations

import csv
import gzip
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime

import pytest
from replays import DATA, Replays

pytestmark = [pytest.mark.connected, pytest.mark.real_data]

NAME = "stackexchange_bicycles_meta"
BICYCLES = "community_id = 'bicycles-meta'"
AT = "2024-01-01 00:00:00"  # after the last row
SITE = "-1"  # the site's own account


def table(name: str) -> Iterator[dict[str, str]]:
    with gzip.open(DATA / NAME / f"{name}.csv.gz", "rt", encoding="utf-8", newline="") as lines:
        yield from csv.DictReader(lines)


def time(row: dict[str, str]) -> datetime:
    return datetime.fromisoformat(row["ts_utc"])


def waits() -> dict[str, tuple[bool, float | None]]:
    """Question -> whether it asks for a feature, and seconds until somebody else answered or commented on it."""
    said: dict[str, list[tuple[str, datetime]]] = defaultdict(list)
    for row in table("posts"):
        if row["parent"]:
            said[row["parent"]].append((row["user"], time(row)))
    for row in table("comments"):
        said[row["post"]].append((row["user"], time(row)))
    found = {}
    for row in table("posts"):
        if row["type"] == "1" and row["user"] != SITE:
            others = [at for user, at in said[row["id"]] if user not in (row["user"], SITE)]
            wait = max(0.0, (min(others) - time(row)).total_seconds()) if others else None
            found[f"post-{row['id']}"] = ("feature-request" in row["tags"], wait)
    return found


def test_every_question_of_the_bicycles_was_answered_when_the_tables_say(replays: Replays) -> None:
    replays(NAME)
    rows = replays.lab.warehouse.rows(
        f"SELECT message_id, seconds, state FROM {{db}}.first_response_at(at = '{AT}') WHERE {BICYCLES}"
    )
    told = {message: (seconds, state) for message, seconds, state in rows}
    expected = waits()
    assert {question: wait for question, (_, wait) in expected.items()} == {
        question: pytest.approx(told[question][0], abs=1e-6) if told[question][0] is not None else None
        for question in expected
    }
    features = [question for question, (feature, _) in expected.items() if feature]
    states = Counter(
        "unanswered" if wait is None else "answered" if wait <= 86400 else "late"
        for feature, wait in expected.values()
        if feature
    )
    assert states == Counter(told[question][1] for question in features)
    assert (39, {"answered": 33, "late": 5, "unanswered": 1}) == (len(features), dict(states))


def test_every_human_message_that_answers_none_has_a_state(replays: Replays) -> None:
    replays(NAME)
    [(asked, states)] = replays.lab.warehouse.rows(
        f"SELECT count(), groupUniqArray(state) FROM {{db}}.first_response_at(at = '{AT}') WHERE {BICYCLES}"
    )
    human = [row for row in table("posts") if not row["parent"] and row["user"] != SITE]
    assert (len(human), {"answered", "late", "unanswered"}) == (asked, set(states))
