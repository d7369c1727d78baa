"""Views against their oracles on public traces of real communities: at their ends, and at a moment amid their lives."""

from __future__ import annotations

from collections import Counter
from functools import cache

import pytest
from compared import come_to, compare, places
from oracle import event_time
from oracles.views import VIEWS, Place, View
from replays import DATA, SETTINGS, Replays

from streams.traces import TRACES

pytestmark = [pytest.mark.connected, pytest.mark.real_data]

DAILY = {
    *("activity_day", "activity_day_by_segment", "activity_rolling_at", "presence_day", "active_members"),
    *("lifecycle_day", "lifecycle_week", "active_days_at", "absence_factor_at", "absence_factor_month", "breadth_at"),
    *("engaged_by_segment_at", "burstiness_at", "members_at_risk_at", "attendance_hour", "inferred_rituals"),
    *("network_at", "newcomer_ties_week", "first_response_week"),
}
"""Views that are compared on every trace."""

NAMES = {view.name for view in VIEWS}
WORDS = {"signs", "shared_values", "belonging_gains", "thanks", "belonging_components", "belonging_index"}
BY_MEMBER_AND_WEEK = {
    *("retention_week", "ladder_at", "ladder_flow", "ladder_member_week", "ladder_steps", "ladder_week", "gravity"),
}
HELD: dict[str, set[str]] = {
    # Small, and the only one that says who answers whom. The channel has fewer members and weeks.
    "stackexchange_bicycles_meta": NAMES - BY_MEMBER_AND_WEEK,
    # The only one with a ritual. Its words would take longer than everything else.
    "irc_duraspace": NAMES - WORDS - {"activity_minute", "activity_minute_by_segment", "first_response"},
    "gitter_livechat": DAILY | {"newcomer_ties_at"},
    "checkins_gowalla_nyc": DAILY | {"shared_values", "give_and_receive"},
}
"""Trace -> the views that are compared on it; everything on one at least."""

CASES = [(name, view) for name, held in HELD.items() for view in VIEWS if view.name in held]
seen: Counter[str] = Counter()
"""Rows of each view so far, those of a view of a moment with those of the plain one."""


@cache
def told(name: str) -> list[Place]:
    """The communities of a trace at its end."""
    facts = list(TRACES[name].events(DATA))
    own = {community: SETTINGS[community] for community in {fact["community_id"] for fact in facts}}
    return places(facts, own, max(map(event_time, facts)).replace(microsecond=0))


@cache
def amid(name: str) -> list[Place]:
    """The same, asked about when half of what happens has happened."""
    times = sorted(event_time(fact) for place in told(name) for fact in place.everybody)
    return [place.seen_at(times[len(times) // 2].replace(microsecond=0)) for place in told(name)]


@pytest.mark.parametrize(("name", "view"), CASES, ids=lambda each: each.name if isinstance(each, View) else each)
def test_a_real_community(replays: Replays, name: str, view: View) -> None:
    replays(name)
    come_to(replays.lab.warehouse, told(name)[0].watermark)
    seen[view.name.removesuffix("_at")] += compare(
        replays.lab.warehouse, view, amid(name) if view.arguments else told(name)
    )


def test_every_view_is_held_against_a_real_community_that_has_rows_of_it() -> None:
    names = {name.removesuffix("_at") for name in NAMES}
    assert set() == names - {view.name.removesuffix("_at") for _, view in CASES}
    # When some cases were left out, as with -k, nothing can be said.
    if len(seen) == len(names):
        assert [] == sorted(name for name, rows in seen.items() if not rows)
