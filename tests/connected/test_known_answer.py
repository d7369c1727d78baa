"""The community worked out by hand, through the pipeline: every table and every view says what the hand said."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

import known_answer as known
import pytest
from folds import Rows, folded, stored
from oracle import CONTRIBUTING, ENGAGED, fold
from pipeline import Lab, Log

from streams.aggregates import ALL, Aggregate
from streams.reconcile import reconcile

pytestmark = pytest.mark.connected

RECEIVED_MS = int(datetime(2026, 3, 5, tzinfo=UTC).timestamp() * 1000)
WINDOWS = {
    "5m": timedelta(minutes=5),
    "1h": timedelta(hours=1),
    "24h": timedelta(days=1),
    "7d": timedelta(days=7),
    "28d": timedelta(days=28),
}
MEMBERS = ("ann", "bo", "cy", "mo", "helper")
GRAINS = {"minute": known.MINUTES, "hour": known.HOURS, "day": known.DAYS}


@pytest.fixture(scope="module")
def tea(lab: Lab) -> Lab:
    """The events in the order of the file, in pieces of five, each recomputed before the next one comes."""
    log = Log()
    worker = lab.worker(log)
    for start in range(0, len(known.EVENTS), 5):
        for event in known.EVENTS[start : start + 5]:
            key = f"{event['community_id']}/{event['member_id']}".encode()
            log.append(lab.topic(event["type"]), key, json.dumps(event).encode(), RECEIVED_MS)
        lab.run(worker.drain())
    positions = worker.progress.table(worker.progress.take_changed(), datetime.now(UTC))
    lab.warehouse.insert("{store}.progress", positions)
    return lab


def literal(aggregate: Aggregate) -> Rows:
    by_hand: dict[str, Rows] = {
        "activity_minute": known.MINUTES,
        "activity_hour": known.HOURS,
        "activity_day": known.DAYS,
        "member_day": known.MEMBER_DAYS,
    }
    if aggregate.name not in by_hand:
        # Not written out by hand: the oracle, which the hand-written rows hold to account.
        return folded(aggregate, fold(known.EVENTS))
    return {
        key: tuple(frozenset(value) if isinstance(value, set) else value for value in row)
        for key, row in by_hand[aggregate.name].items()
    }


@pytest.mark.parametrize("aggregate", ALL, ids=lambda aggregate: aggregate.name)
def test_every_aggregate_holds_the_rows_worked_out_by_hand(tea: Lab, aggregate: Aggregate) -> None:
    assert literal(aggregate) == stored(tea.warehouse, aggregate, MEMBERS)


def test_member_hours_hold_the_sample_and_the_number_worked_out_by_hand(tea: Lab) -> None:
    [hours] = [aggregate for aggregate in ALL if aggregate.name == "member_hour"]
    rows = stored(tea.warehouse, hours, MEMBERS)
    assert known.MEMBER_HOURS_SAMPLE == {key: rows[key] for key in known.MEMBER_HOURS_SAMPLE}
    assert known.MEMBER_HOURS == len(rows)


def totals(rows: Rows) -> Rows:
    """Rows by hand, families and platforms put together, humans only: (community, start) -> numbers of a view."""
    events: dict[tuple[Any, ...], int] = defaultdict(int)
    members: dict[tuple[Any, ...], dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for (community, start, family, _, kind), (count, who) in rows.items():
        if kind != "human":
            continue
        events[community, start] += count
        members[community, start]["present"] |= who
        for group, families in (("engaged", ENGAGED), ("contributing", CONTRIBUTING)):
            members[community, start][group] |= who if family in families else set()
    return {
        key: (count, *(len(members[key][group]) for group in ("present", "engaged", "contributing")))
        for key, count in events.items()
    }


@pytest.mark.parametrize("grain", GRAINS)
def test_activity_views_count_each_human_once_over_all_families(tea: Lab, grain: str) -> None:
    rows = tea.warehouse.rows(
        "SELECT community_id, start, events, members, engaged_members, contributing_members "
        f"FROM {{db}}.activity_{grain}"
    )
    assert totals(GRAINS[grain]) == {row[:2]: row[2:] for row in rows}
    assert len(totals(GRAINS[grain])) == len(rows)


@pytest.mark.parametrize("grain", GRAINS)
def test_segment_views_show_every_kind_of_actor(tea: Lab, grain: str) -> None:
    rows = tea.warehouse.rows(
        "SELECT community_id, start, family, platform, actor_kind, events, members "
        f"FROM {{db}}.activity_{grain}_by_segment"
    )
    expected = {key: (events, len(members)) for key, (events, members) in GRAINS[grain].items()}
    assert expected == {row[:5]: row[5:] for row in rows}


def test_member_day_view(tea: Lab) -> None:
    rows = tea.warehouse.rows(
        "SELECT community_id, start, member_id, family, platform, actor_kind, events, first_at, last_at "
        "FROM {db}.member_day"
    )
    assert known.MEMBER_DAYS == {row[:6]: row[6:] for row in rows}


def test_a_day_is_settled_once_the_watermark_has_passed_its_end(tea: Lab) -> None:
    rows = tea.warehouse.rows(
        "SELECT DISTINCT start, settled, fresh_until FROM {db}.activity_day "
        "WHERE community_id = 'tea-house' ORDER BY start"
    )
    # The last event, less the disorder of 10 s that is allowed for.
    fresh = datetime(2026, 3, 4, 23, 59, 49, 999_000, tzinfo=UTC)
    assert [(datetime(2026, 3, day, tzinfo=UTC), int(day < 4), fresh) for day in (2, 3, 4)] == rows


def test_events_view_has_one_row_an_event(tea: Lab) -> None:
    facts = {(fact["community_id"], fact["event_id"]) for fact in fold(known.EVENTS).facts.values()}
    rows = tea.warehouse.rows("SELECT community_id, event_id FROM {db}.events")
    assert (known.FACTS, facts) == (len(rows), set(rows))


def test_nothing_differs_when_everything_is_recomputed(tea: Lab) -> None:
    assert [] == reconcile(tea.warehouse, settle_s=0)


def rolling(lab: Lab, at: datetime) -> dict[str, Rows]:
    """Window -> community -> numbers, as the view says."""
    rows = lab.warehouse.rows(
        "SELECT window, community_id, events, members, engaged_members, contributing_members "
        "FROM {db}.activity_rolling_at(at = {at:String})",
        {"at": f"{at:%Y-%m-%d %H:%M:%S}"},
    )
    found: dict[str, Rows] = {name: {} for name in WINDOWS}
    for window, community, *numbers in rows:
        found[window][community] = tuple(numbers)
    return found


HUMANS_AT = sorted({at for at, _, humans in known.ROLLING if humans})


@pytest.mark.parametrize("at", HUMANS_AT, ids=str)
def test_rolling_windows_are_what_was_worked_out_by_hand(tea: Lab, at: datetime) -> None:
    views = rolling(tea, at)
    oracle = fold(known.EVENTS)
    for name, window in WINDOWS.items():
        by_hand = known.ROLLING.get((at, window, True))
        if by_hand is not None:
            assert by_hand == views[name], name
        # The oracle is held to the same literals, and fills in the windows that nobody worked out.
        assert oracle.rolling(at, window) == views[name], name


def test_every_window_was_worked_out_by_hand_at_some_moment() -> None:
    assert set(WINDOWS.values()) <= {window for _, window, humans in known.ROLLING if humans}
