"""Every view that a metric is read from, against its oracle: on communities known by heart and on generated ones."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

import known_answer as known
import pytest
import reading_circle
import yaml
from compared import come_to, compare, declare, places
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from lives import in_world, life
from oracles.views import VIEWS, Place, View
from pipeline import Lab
from settled import deliver

from streams.catalog import ALL

pytestmark = pytest.mark.connected

CLOCK = {"activity_rolling", "activity_rolling_by_segment"}
"""End at the clock of the warehouse; test_rolling.py compares each with the same view of a moment."""


def test_every_view_of_every_metric_has_an_oracle() -> None:
    named = {view for metric in ALL for view in metric.views}
    assert set() == named - CLOCK - {view.name for view in VIEWS}, "give the view a line in tests/oracles/views.py"
    assert [] == [name for name, count in Counter(view.name for view in VIEWS).items() if count > 1]


def test_every_column_of_every_metric_is_compared() -> None:
    compared = {view.name: view.columns for view in VIEWS}
    left_out = {
        (name, column)
        for metric in ALL
        for name in set(metric.views) - CLOCK
        for column in set(metric.columns) - compared.get(name, set())
    }
    # A stay that contains a day is not told to its end.
    assert {("ladder_at", "until")} == left_out


END = datetime(2026, 3, 2, 2, tzinfo=UTC)
"""Sunday evening in New York, where the reading circle has just ended; Monday morning in the tea house."""

LATER = datetime(2026, 3, 25, 23, 59, 59, tzinfo=UTC)
SETTINGS = yaml.safe_load(reading_circle.SETTINGS)["communities"]

CHESS = "chess-club"
PLAYED = {"ann": "xxxxxxx", "bo": "ooo.oox", "cy": "......o"}
"""Months of 2025 in which each wrote (x) or only reacted (o): long enough for an index."""

MOVES = [
    {
        "event_id": f"{member}{month}",
        "type": "message" if did == "x" else "reaction",
        "platform": "forum",
        "community_id": CHESS,
        "member_id": member,
        "occurred_at": f"2025-{month:02}-15T12:00:00Z",
        **({"text": "your move"} if did == "x" else {"target_id": "ann1", "reaction": "+"}),
    }
    for member, months in PLAYED.items()
    for month, did in enumerate(months, start=1)
    if did != "."
]


@pytest.fixture(scope="module")
def by_heart(lab: Lab) -> tuple[Lab, list[Place]]:
    declare(lab.warehouse, SETTINGS)
    events = [*known.EVENTS, *reading_circle.EVENTS, *MOVES]
    deliver(lab, events)
    return lab, places(events, SETTINGS, END)


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_communities_known_by_heart(by_heart: tuple[Lab, list[Place]], view: View) -> None:
    lab, told = by_heart
    rows = 0
    for moment in (END, LATER):
        come_to(lab.warehouse, moment)
        rows += compare(lab.warehouse, view, [place.come_to(moment) for place in told])
    assert rows > 0


def test_newcomers_of_a_week_are_shown_when_it_is_over_in_every_zone_and_14_days_have_passed(
    by_heart: tuple[Lab, list[Place]],
) -> None:
    lab, told = by_heart
    [view] = [view for view in VIEWS if view.name == "newcomer_ties_week"]
    shown = []
    for moment in (datetime(2026, 3, 23, 11, 59, 59, tzinfo=UTC), datetime(2026, 3, 23, 12, tzinfo=UTC)):
        come_to(lab.warehouse, moment)
        shown.append(compare(lab.warehouse, view, [place.come_to(moment) for place in told]))
    assert shown[0] < shown[1]


def ask(by_heart: tuple[Lab, list[Place]], view: str, columns: str, where: str) -> list[tuple[Any, ...]]:
    lab, _ = by_heart
    come_to(lab.warehouse, END)
    return lab.warehouse.rows(f"SELECT {columns} FROM {{db}}.{view} WHERE {where} ORDER BY ALL")


def test_belonging_in_the_chess_club_by_hand(by_heart: tuple[Lab, list[Place]]) -> None:
    # Of those who played a month, as many had played the month before: 0, 2, 2 of two, the one, 1 and 2 of two, 2 of
    # three. In June two of the six months so far had less than all, four as much: (2 + 4 / 2) / 6. In July two of seven
    # had less than two thirds, and July itself as much: (2 + 1 / 2) / 7.
    # Written had one of two in five of the six months until June, (0 + 5 / 2) / 6, and two of three in July:
    # (5 + 1 / 2) / 7.
    june, july = (4 / 6, 2.5 / 6), (2.5 / 7, 5.5 / 7)
    assert [
        (date(2025, 6, 1), pytest.approx(sum(june) / 2), 2, *map(pytest.approx, june), None),
        (date(2025, 7, 1), pytest.approx(sum(july) / 2), 2, *map(pytest.approx, july), None),
    ] == ask(
        by_heart,
        "belonging_index",
        "month, belonging, components, returning, contributing, turnout",
        f"community_id = '{CHESS}'",
    )


LADDER = "member_id, since, until, days, level, from_level, direction, present_days, active_days, contributions"


def test_the_ladder_of_the_tea_house_by_hand(by_heart: tuple[Lab, list[Place]]) -> None:
    # In Shanghai cy wrote on Tuesday for the first time, and left on Thursday, the last day that is known.
    # Nobody came on four days; staff and bots climb nothing.
    monday, tuesday = date(2026, 3, 2), date(2026, 3, 3)
    assert [
        ("ann", monday, None, 4, "participant", "", "in", 1, 1, 1),
        ("bo", monday, None, 4, "participant", "", "in", 1, 1, 2),
        ("cy", tuesday, None, 3, "participant", "", "in", 1, 1, 1),
    ] == ask(by_heart, "ladder_history", LADDER, "community_id = 'tea-house'")


def test_the_ladder_of_eve_by_hand(by_heart: tuple[Lab, list[Place]]) -> None:
    """She joins on Monday, writes on three Saturdays, comes on two Thursdays, and no more."""
    # 27 December, 3, 8 and 10 January are four days. The last four (3, 8, 10, 15 January) are within 28 until the 30th;
    # with 14 days of grace that is Friday 13 February, so that she goes down on Monday the 16th.
    joined, wrote, fourth, fell = date(2025, 12, 22), date(2025, 12, 27), date(2026, 1, 10), date(2026, 2, 16)
    eve = "community_id = 'reading-circle' AND member_id = 'eve'"
    assert [
        ("eve", joined, date(2025, 12, 26), 5, "visitor", "", "in", 1, 0, 0),
        ("eve", wrote, date(2026, 1, 9), 14, "participant", "visitor", "up", 2, 1, 1),
        ("eve", fourth, date(2026, 2, 15), 37, "regular", "participant", "up", 5, 4, 3),
        ("eve", fell, None, 14, "participant", "regular", "down", 0, 0, 0),
    ] == ask(by_heart, "ladder_history", LADDER, eve)
    # Her last week ends with today.
    held = [(fourth + timedelta(days=2 + 7 * n), "regular", "regular", "held") for n in range(5)]
    assert [
        (joined, "", "participant", "in"),
        (date(2025, 12, 29), "participant", "participant", "held"),
        (date(2026, 1, 5), "participant", "regular", "up"),
        *held,
        (fell, "regular", "participant", "down"),
    ] == ask(by_heart, "ladder_member_week", "week, from_level, to_level, direction", eve)


def test_generated_communities(lab: Lab) -> None:
    seen: Counter[str] = Counter()

    @settings(
        max_examples=2,
        deadline=None,
        phases=[Phase.explicit, Phase.reuse, Phase.generate],  # shrinking takes minutes on a real engine
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(seed=st.integers(0, 1 << 32))
    def every_view_is_what_its_oracle_says(seed: int) -> None:
        made = in_world(life(seed, communities=20), lab.world())
        declare(lab.warehouse, made.settings)
        arrived = Random(seed).sample(made.events, len(made.events))
        # What comes late is recomputed on top of what came before.
        deliver(lab, arrived[:-200])
        deliver(lab, arrived[-200:])
        come_to(lab.warehouse, made.end)
        told = places(made.events, made.settings, made.end)
        for moment in [made.end, *made.moments]:
            asked = [place.seen_at(moment) for place in told]
            for view in VIEWS:
                if view.arguments or moment == made.end:
                    seen[view.name] += compare(lab.warehouse, view, asked)

    every_view_is_what_its_oracle_says()
    assert [] == [name for name, rows in seen.items() if not rows], "none of the generated communities has a row"
