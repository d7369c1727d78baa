"""The fold that `streams replay --verify` compares with, against hand-worked numbers and the oracle of the tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import known_answer as known
import oracle
from folds import corrected_oracle

from streams.simulate import inject, simulate
from streams.traces.verify import Difference, Fold, differences, fold

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
# The replayed traces have one version of each event; the versions of e15 are not for this fold.
KNOWN = [event for event in known.EVENTS if event["event_id"] != "e15"]


def seconds(at: datetime) -> int:
    return int(at.timestamp())


def milliseconds(at: datetime) -> int:
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def views(folded: Fold) -> dict[str, dict]:
    return {view: rows for view, _, _, rows in folded.views()}


def without_e15(rows: dict) -> dict:
    return {k: v for k, v in rows.items() if k[1] != datetime(2026, 3, 3, 12, 20, tzinfo=UTC) or k[2] != "message"}


def test_minutes_are_what_was_worked_out_by_hand():
    expected = {
        (community, seconds(start), *segment): (events, len(members))
        for (community, start, *segment), (events, members) in without_e15(known.MINUTES).items()
    }
    assert expected == views(fold(KNOWN))["activity_minute_by_segment"]


def test_counts_of_few_members_of_a_segment_are_withheld_and_totals_are_not():
    few = Fold(smallest_cohort=2)
    for event in KNOWN:
        few.add(event)
    monday = {key[2:]: row for key, row in views(few)["activity_day_by_segment"].items() if key[1] == seconds(MONDAY)}
    # Three wrote, two checked in; one ordered (twice), and the bot is alone.
    assert (4, 3) == monday["message", "wechat", "human"]
    assert (2, 2) == monday["check_in", "wechat", "human"]
    assert (2, None) == monday["order", "shop", "human"]
    assert (1, None) == monday["message", "wechat", "bot"]
    assert views(fold(KNOWN))["activity_day"] == views(few)["activity_day"]


def test_totals_count_each_human_once_and_nest():
    monday = views(fold(KNOWN))["activity_day"][known.TEA, seconds(MONDAY)]
    # ann, bo and cy: 10 events without the bot's; all engaged, all wrote.
    assert (10, 3, 3, 3) == monday
    # Wednesday: bo's order and review, ann's message, cy's leaving; staff is no human.
    assert (4, 3, 2, 2) == views(fold(KNOWN))["activity_day"][known.TEA, seconds(MONDAY + timedelta(days=2))]


def test_the_fold_equals_the_oracle_on_a_shuffled_stream_with_duplicates():
    events = [
        event
        for event in inject(
            simulate(3, 4, MONDAY, MONDAY + timedelta(days=2), 0.05), 3, duplicates=0.1, late=0.1, broken=0.05
        )
        if isinstance(event, dict)
    ]
    rows, judge = views(fold(events)), corrected_oracle(oracle.fold(events))
    for grain in ("minute", "hour", "day"):
        expected = {
            (key.community_id, seconds(key.start), *key[2:]): (activity.events, len(activity.members))
            for key, activity in judge.activity(grain).items()
        }
        assert expected == rows[f"activity_{grain}_by_segment"]
    expected = {
        (key.community_id, seconds(key.start), *key[2:]): (a.events, milliseconds(a.first_at), milliseconds(a.last_at))
        for key, a in judge.member_activity("day").items()
    }
    assert expected == rows["member_day"]


class Warehouse:
    """A warehouse whose views hold the rows of a fold, after `change`."""

    def __init__(self, folded: Fold, change: Callable[[str, dict], dict] = lambda view, rows: rows) -> None:
        self.views = {view: change(view, dict(rows)) for view, rows in views(folded).items()}

    def render(self, sql: str) -> str:
        return sql.replace("{db}", "community")

    def rows(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        view = sql.split(" FROM community.")[1].split()[0]
        assert parameters is not None
        return [(*key, *row) for key, row in self.views[view].items() if key[0] in parameters["communities"]]


def test_a_warehouse_with_equal_rows_has_no_differences():
    folded = fold(KNOWN)
    total = sum(len(rows) for rows in views(folded).values())
    assert (total, []) == differences(Warehouse(folded), folded)


def test_a_wrong_a_missing_and_a_superfluous_row_are_each_a_difference():
    folded = fold(KNOWN)
    key = (known.TEA, seconds(MONDAY))
    row = views(folded)["activity_day"][key]

    def wrong(view: str, rows: dict) -> dict:
        return rows | {key: (11, 3, 3, 3)} if view == "activity_day" else rows

    def missing(view: str, rows: dict) -> dict:
        return {k: v for k, v in rows.items() if view != "activity_day" or k != key}

    def superfluous(view: str, rows: dict) -> dict:
        return rows | {(known.TEA, 60): (1, 1, 1, 1)} if view == "activity_day" else rows

    assert [Difference("activity_day", key, row, (11, 3, 3, 3))] == differences(Warehouse(folded, wrong), folded)[1]
    assert [Difference("activity_day", key, row, None)] == differences(Warehouse(folded, missing), folded)[1]
    assert [Difference("activity_day", (known.TEA, 60), None, (1, 1, 1, 1))] == (
        differences(Warehouse(folded, superfluous), folded)[1]
    )
