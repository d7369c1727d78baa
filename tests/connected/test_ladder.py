"""The ladder: by hand, on generated lives, on a real community, and as of any day; flow, dwell and gravity with it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from folds import in_world
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oracle import Event, event_time
from oracles.ladder import STEPS, Evidence, Member, Stay, Step, ladder
from pipeline import Lab, Log
from settled import declare

from streams.communities.settings import Community, Ritual

pytestmark = pytest.mark.connected

RECEIVED_MS = int(datetime(2027, 1, 1, tzinfo=UTC).timestamp() * 1000)
BODIES: dict[str, dict[str, Any]] = {
    "membership": {"action": "join"},
    "message": {"text": "早"},
    "review": {"product_id": "p1", "rating": 4},
    "check_in": {"ritual": "晨读"},
    "identity": {"linked_platform": "wechat", "linked_account_id": "ann-again"},
}
ids = count()


def act(community: str, member: str, day: date, family: str = "message", hour: int = 12) -> Event:
    return {
        "event_id": f"e{next(ids)}",
        "type": family,
        "platform": "wechat",
        "community_id": community,
        "member_id": member,
        "occurred_at": f"{day}T{hour:02}:00:00Z",
        **BODIES[family],
    }


def publish(lab: Lab, events: Iterable[Event]) -> list[Event]:
    """Events through the pipeline, in one go."""
    log, events = Log(), list(events)
    for event in events:
        key = f"{event['community_id']}/{event['member_id']}".encode()
        log.append(lab.topic(event["type"]), key, json.dumps(event).encode(), RECEIVED_MS)
    lab.drain(log)
    return events


def last_days(events: Iterable[Event]) -> dict[str, date]:
    """The day of the last event of each community: what is known goes no further."""
    days: dict[str, date] = {}
    for event in events:
        days[event["community_id"]] = max(days.get(event["community_id"], date.min), event_time(event).date())
    return days


def history(lab: Lab, where: str) -> dict[Member, list[Stay]]:
    """Stays as the view has them."""
    rows = lab.warehouse.rows(
        "SELECT community_id, member_id, level, rank, since, until, from_level, direction, judged_level, "
        "present_days, active_days, contributions, hosted_or_cocreated "
        f"FROM {{db}}.ladder_history WHERE {where} ORDER BY community_id, member_id, since"
    )
    found: dict[Member, list[Stay]] = {}
    for community, member, *stay, present, active, contributions, built in rows:
        evidence = Evidence(present, active, contributions, built)
        found.setdefault((community, member), []).append(Stay(*stay, evidence))
    return found


def january(*days: int) -> list[date]:
    return [date(2026, 1, day) for day in days]


def ann(community: str) -> list[Event]:
    """Joins, writes more and more, reviews three times, and is not seen again. 5 January 2026 is a Monday."""
    return [
        act(community, "ann", date(2026, 1, 5), "membership"),
        *(act(community, "ann", day) for day in january(7, 8, 9, 12, 13, 14, 15, 16, 19, 19, 19, 19)),
        *(act(community, "ann", day, "review") for day in january(20, 21, 22)),
        act(community, "somebody", date(2026, 3, 31)),
    ]


def stay(level: str, since: date, until: date | None, step: tuple[str, str, str], *counted: int) -> Stay:
    rank = ["away", *(each.level for each in STEPS)].index(level)
    return Stay(level, rank, since, until, *step, Evidence(*counted))


# Four active days in 28 until 15 February (the fourth last is 19 January), twelve contributions until 8 February (the
# twelfth last is on 12 January), one active day until 18 February. With 14 days of grace that is Sunday 22 February for
# the contributor and with her the co-builder; and Sunday 1 March and Wednesday 4 March, hence Sunday 8 March, for the
# others.
ANN = [
    stay("visitor", date(2026, 1, 5), date(2026, 1, 6), ("", "in", "visitor"), 1, 0, 0, 0),
    stay("participant", date(2026, 1, 7), date(2026, 1, 11), ("visitor", "up", "participant"), 2, 1, 1, 0),
    stay("regular", date(2026, 1, 12), date(2026, 1, 18), ("participant", "up", "regular"), 5, 4, 4, 0),
    stay("contributor", date(2026, 1, 19), date(2026, 1, 21), ("regular", "up", "contributor"), 10, 9, 12, 0),
    stay("co-builder", date(2026, 1, 22), date(2026, 2, 22), ("contributor", "up", "co-builder"), 13, 12, 15, 3),
    stay("regular", date(2026, 2, 23), date(2026, 3, 1), ("co-builder", "down", "contributor"), 0, 0, 0, 0),
    stay("participant", date(2026, 3, 2), date(2026, 3, 8), ("regular", "down", "regular"), 0, 0, 0, 0),
    stay("away", date(2026, 3, 9), None, ("participant", "out", "visitor"), 0, 0, 0, 0),
]


@pytest.fixture(scope="module")
def climbed(lab: Lab) -> str:
    """The community of ann, whose every step was worked out by hand."""
    community = f"{lab.world()}ann"
    publish(lab, ann(community))
    return community


def test_a_climb_and_a_fall_worked_out_by_hand(lab: Lab, climbed: str) -> None:
    assert ANN == history(lab, f"community_id = '{climbed}' AND member_id = 'ann'")[climbed, "ann"]


def test_the_oracle_says_what_the_hand_said() -> None:
    events = ann("c")
    assert ANN == ladder(events, last_days(events))["c", "ann"]


@pytest.mark.parametrize("day", [date(2026, 1, 4), *(stay.since for stay in ANN), date(2026, 2, 22), date(2026, 3, 31)])
def test_a_day_that_is_asked_about_shows_the_stay_it_is_in(lab: Lab, climbed: str, day: date) -> None:
    found = [stay for stay in ANN if stay.since <= day and (stay.until is None or day <= stay.until)]
    assert [(stay.level, stay.since, (day - stay.since).days + 1) for stay in found] == lab.warehouse.rows(
        f"SELECT level, since, days FROM {{db}}.ladder_at(at = '{day}') "
        f"WHERE community_id = '{climbed}' AND member_id = 'ann'"
    )


def test_weeks_of_ann(lab: Lab, climbed: str) -> None:
    assert [
        (date(2026, 1, 5), "", "participant", "in"),
        (date(2026, 1, 12), "participant", "regular", "up"),
        (date(2026, 1, 19), "regular", "co-builder", "up"),
        *((date(2026, 1, 26) + timedelta(weeks=week), "co-builder", "co-builder", "held") for week in range(4)),
        (date(2026, 2, 23), "co-builder", "regular", "down"),
        (date(2026, 3, 2), "regular", "participant", "down"),
        (date(2026, 3, 9), "participant", "away", "out"),
    ] == lab.warehouse.rows(
        "SELECT week, from_level, to_level, direction FROM {db}.ladder_flow "
        f"WHERE community_id = '{climbed}' ORDER BY week"
    )


def test_gravity_of_ann(lab: Lab, climbed: str) -> None:
    # One member: the square of the weight of her level.
    expected = [1, 16, 100, 100, 100, 100, 100, 16, 1, None, None, None]
    changes = [None, 15, 84, 0, 0, 0, 0, -84, -15, None, None, None]
    rows = lab.warehouse.rows(
        f"SELECT members, gravity, change FROM {{db}}.gravity WHERE community_id = '{climbed}' ORDER BY week"
    )
    assert list(zip([1] * 9 + [0] * 3, expected, changes, strict=True)) == rows


def test_stays_that_go_on_count_in_the_median(lab: Lab) -> None:
    community = f"{lab.world()}dwell"
    monday = date(2026, 1, 5)
    once = [act(community, member, monday) for member in ("ann", "bo", "cy", "di")]
    again = [act(community, member, monday + timedelta(days=30 * n)) for member in ("bo", "cy", "di") for n in (1, 2)]
    publish(lab, once + again)
    # Ann was active to the 27th day after that Monday and is kept to the 41st, a Sunday. Three of four are still there.
    assert [("participant", 4, 1, 0, 1, None)] == lab.warehouse.rows(
        "SELECT level, stays, ended, ended_up, ended_down, median_days FROM {db}.ladder_dwell "
        f"WHERE community_id = '{community}'"
    )


def test_the_step_that_fewest_take_is_the_narrowest(lab: Lab) -> None:
    community = f"{lab.world()}steps"
    monday = date(2026, 1, 5)
    # All four join. Two write; one of these becomes a regular; nobody contributes more.
    joins = [act(community, member, monday, "membership") for member in ("ann", "bo", "cy", "di")]
    writes = [act(community, member, monday + timedelta(days=7)) for member in ("ann", "bo")]
    regular = [act(community, "ann", monday + timedelta(days=14 + n)) for n in range(3)]
    publish(lab, [*joins, *writes, *regular, act(community, "eve", monday + timedelta(days=28))])
    week = monday + timedelta(days=21)
    # Four visitors began the first week after, two each of the next two, and two of these eight went up.
    assert [
        ("visitor", 2, 0, 2, 0, 8, 2, 0.25, 0),
        ("participant", 1, 0, 1, 0, 3, 1, 1 / 3, 0),
        ("regular", 1, 0, 1, 0, 1, 0, 0.0, 1),
        ("contributor", 0, 0, 0, 0, 0, 0, None, 0),
        ("co-builder", 0, 0, 0, 0, 0, 0, None, 0),
    ] == lab.warehouse.rows(
        "SELECT level, members, up, held, down, member_weeks_12w, up_12w, up_share_12w, narrowest "
        f"FROM {{db}}.ladder_steps WHERE community_id = '{community}' AND week = '{week}' ORDER BY rank"
    )


def test_a_late_event_repairs_what_follows_from_it(lab: Lab) -> None:
    community = f"{lab.world()}late"
    events = publish(lab, ann(community))
    fallen = history(lab, f"community_id = '{community}'")[community, "ann"]
    late = publish(lab, [act(community, "ann", date(2026, 2, 20))])
    repaired = history(lab, f"community_id = '{community}'")
    assert ladder(events + late, last_days(events)) == repaired
    assert fallen != repaired[community, "ann"]
    assert [("participant", date(2026, 3, 2), None)] == [
        (stay.level, stay.since, stay.until) for stay in repaired[community, "ann"][-1:]
    ]


def test_who_hosts_a_ritual_builds(lab: Lab) -> None:
    community = f"{lab.world()}hosts"
    lab.warehouse.command(
        "INSERT INTO {store}.declared_rituals (community_id, ritual, title, every, at_minute, host_id, version) "
        f"VALUES ('{community}', '晨读', '晨读', 'day', 420, 'ann', 1)"
    )
    week = [date(2026, 1, 5) + timedelta(days=n) for n in range(7)]
    events = publish(
        lab,
        [
            *(act(community, member, day, hour=hour) for member in ("ann", "bo") for day in week for hour in (8, 9)),
            # Twice on the first day, which is one occasion, and once on the others.
            *(act(community, member, day, "check_in") for member in ("ann", "bo") for day in week[:4]),
            *(act(community, member, week[0], "check_in", hour=20) for member in ("ann", "bo")),
        ],
    )
    found = history(lab, f"community_id = '{community}'")
    assert ladder(events, last_days(events), hosts={("晨读", "ann")}) == found
    # Hosting contributes too: ann has her twelfth contribution two days before bo.
    assert [("co-builder", date(2026, 1, 8), 4), ("contributor", date(2026, 1, 10), 0)] == [
        (
            found[community, member][-1].level,
            found[community, member][-1].since,
            found[community, member][-1].evidence.built,
        )
        for member in ("ann", "bo")
    ]


def test_who_hosts_before_midnight_and_after_it_hosts_on_both_days(lab: Lab) -> None:
    community, kolkata = f"{lab.world()}midnight", ZoneInfo("Asia/Kolkata")
    hosted = Ritual.model_validate({"every": "day", "at": "07:00", "host_id": "ann"})
    declare(lab, community, Community(zone="Asia/Kolkata", rituals={"晨读": hosted}))
    fourth = date(2026, 1, 8)
    # Midnight in Kolkata is at 18:30 UTC: in the middle of an hour.
    around = [
        act(community, "ann", fourth, "check_in") | {"occurred_at": f"2026-01-07T18:{minute}:00Z"}
        for minute in (10, 29, 30, 50)
    ]
    before = [act(community, "ann", fourth - timedelta(days=n), hour=hour) for n in (1, 2, 3) for hour in range(4, 8)]
    events = publish(lab, [*before, *around, act(community, "ann", fourth, "review", hour=4)])

    found = history(lab, f"community_id = '{community}'")

    # Two days as a host and a review are the three that a co-builder needs.
    last = found[community, "ann"][-1]
    assert ("co-builder", fourth, 3) == (last.level, last.since, last.evidence.built)
    assert found == ladder(
        events,
        {community: fourth},
        day_of=lambda event: event_time(event).astimezone(kolkata).date(),
        hosts={("晨读", "ann")},
    )


def test_linked_accounts_climb_as_one_person_and_apart_again(lab: Lab) -> None:
    community = f"{lab.world()}linked"
    where = f"community_id = '{community}'"
    other = {"ann": "ann-again"}
    events = publish(
        lab,
        [
            event | {"member_id": other.get(event["member_id"], event["member_id"])} if n % 2 else event
            for n, event in enumerate(ann(community))
        ],
    )
    # The links are nobody's act: by staff, who are not counted.
    link, unlink = (
        act(community, "ann", date(2026, 3, day), "identity") | {"action": action, "actor_kind": "staff"}
        for day, action in ((1, "link"), (2, "unlink"))
    )
    apart = history(lab, where)
    assert {"ann", "ann-again"} < {member for _, member in apart}
    publish(lab, [link])
    one = history(lab, where)
    assert ANN == one[community, "ann"]
    assert (community, "ann-again") not in one
    publish(lab, [unlink])
    assert apart == history(lab, where) == ladder(events, last_days(events))


def test_the_thresholds_of_a_community_are_its_own(lab: Lab) -> None:
    community = f"{lab.world()}own"
    steps = (
        Step("guest", 0, 7, grace=30),
        Step("friend", 2, 10, active=2, grace=0),
        Step("kin", 3, 20, built=1, grace=3),
    )
    for rank, step in enumerate(steps, start=1):
        lab.warehouse.command(
            "INSERT INTO {store}.ladder_levels (community_id, level, rank, weight, window_days, min_active_days, "
            "min_contributions, min_hosted_or_cocreated, grace_days, version) VALUES "
            f"('{community}', '{step.level}', {rank}, {step.weight}, {step.window}, {step.active}, "
            f"{step.contributions}, {step.built}, {step.grace}, 1)"
        )
    events = publish(lab, ann(community))
    assert ladder(events, last_days(events), steps) == history(lab, f"community_id = '{community}'")


lives = st.lists(
    st.tuples(
        st.sampled_from(["ann", "bo", "曹"]),
        st.integers(0, 160),  # first day of a spell
        st.integers(1, 40),  # its days
        st.integers(1, 4),  # every so many days
        st.sampled_from(["membership", "message", "message", "review"]),
        st.integers(1, 3),  # events a day
    ),
    min_size=1,
    max_size=7,
)


def lived(community: str, spells: list[tuple[str, int, int, int, str, int]]) -> list[Event]:
    return [
        act(community, member, date(2025, 12, 1) + timedelta(days=first + n), family, hour)
        for member, first, days, every, family, a_day in spells
        for n in range(0, days, every)
        for hour in range(a_day)
    ]


@settings(
    max_examples=6,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(spells=lives, cut=st.integers(0, 200))
def test_generated_lives_climb_as_the_oracle_says_and_as_they_did_on_any_day(
    lab: Lab, spells: list[tuple[str, int, int, int, str, int]], cut: int
) -> None:
    world = lab.world()
    events = lived(f"{world}all", spells)
    day = date(2025, 12, 1) + timedelta(days=cut)
    # The same community, which the facts of later days have not reached.
    until = [event | {"community_id": f"{world}cut"} for event in events if event_time(event).date() <= day]
    publish(lab, events + until)
    today = last_days(events + until)
    climbed = history(lab, in_world(world))
    oracle = ladder(events + until, today)
    assert oracle == climbed

    # What was known on the day of the cut is what is said about it now, and what came later changed nothing of it.
    for member in {member for community, member in climbed if community.endswith("cut")}:
        known = climbed[f"{world}cut", member]
        end = today[f"{world}cut"]
        later = [stay for stay in climbed[f"{world}all", member] if stay.since <= end]
        ended = [stay._replace(until=stay.until if stay.until and stay.until < end else None) for stay in later]
        assert known == ended
