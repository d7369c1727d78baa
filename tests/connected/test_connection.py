"""The numbers of connection, on the community worked out by hand and on generated ones: equal to a loop over facts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import known_answer as known
import pytest
import reading_circle
from conftest import EXACT
from oracle import CONTRIBUTING, ENGAGED
from pipeline import Lab, Log

from streams.communities.rows import TABLES
from streams.communities.settings import Community

pytestmark = pytest.mark.connected

RECEIVED_MS = int(datetime(2026, 9, 1, tzinfo=UTC).timestamp() * 1000)
DAY = timedelta(days=1)

Rows = dict[tuple[Any, ...], tuple[Any, ...]]


def store(lab: Lab, events: Iterable[dict[str, Any]]) -> None:
    """Events through ingest and rollup."""
    log = Log()
    for event in events:
        key = f"{event['community_id']}/{event['member_id']}".encode()
        log.append(lab.topic(event["type"]), key, json.dumps(event).encode(), RECEIVED_MS)
    lab.drain(log)


def watermark(lab: Lab, moment: datetime) -> None:
    """Let the pipeline have come so far: the lab is shared, and so is how far it has come."""
    lab.warehouse.command("TRUNCATE TABLE {store}.progress")
    lab.warehouse.command(
        "INSERT INTO {store}.progress (topic, partition, watermark, offset, lag, updated_at) "
        "VALUES ('any', 0, {at:String}, 1, 0, now64(3))",
        {"at": f"{moment:%F %T}.000"},
    )


def put_settings(lab: Lab, settings: Mapping[str, dict[str, Any]]) -> None:
    """Settings of communities, before anything happens in them."""
    said = {community: Community.model_validate(own) for community, own in settings.items()}
    for table in TABLES:
        lab.warehouse.insert(f"{{store}}.{table.name}", table.filled(said, 1))


def ask(lab: Lab, view: str, community: str, keys: str, values: str, where: str = "1") -> Rows:
    """Rows of one community of a view, by key."""
    rows = lab.warehouse.rows(
        f"SELECT {keys}, {values} FROM {{db}}.{view} WHERE community_id = {{community:String}} AND {where}",
        {"community": community},
    )
    return keyed(rows, keys.count(",") + 1)


def keyed(rows: list[tuple[Any, ...]], width: int) -> Rows:
    """Rows by the columns they begin with, of which no two are the same."""
    found = {row[:width]: row[width:] for row in rows}
    assert len(found) == len(rows)
    return found


def at(moment: datetime, **more: int) -> str:
    """Arguments of a view of a moment."""
    return f"(at = '{moment:%F %T}'" + "".join(f", {name} = {value}" for name, value in more.items()) + ")"


@pytest.fixture(scope="module")
def told(lab: Lab) -> Lab:
    """The three days of the tea house, in UTC, and the ten weeks of the reading circle, in New York."""
    put_settings(lab, {reading_circle.CIRCLE: {"zone": str(reading_circle.ZONE)}, "library": {"since": "2026-03-03"}})
    store(lab, [*known.EVENTS, *reading_circle.EVENTS])
    return lab


@pytest.fixture
def tea(told: Lab) -> Lab:
    """As the tea house left it: all of Monday and Tuesday, and Wednesday but for ten seconds."""
    watermark(told, datetime(2026, 3, 4, 23, 59, 49, tzinfo=UTC))
    return told


@pytest.fixture
def circle(told: Lab) -> Lab:
    """As the reading circle left it: Sunday evening in New York, Monday in UTC."""
    watermark(told, datetime(2026, 3, 2, 2, tzinfo=UTC))
    return told


@pytest.fixture
def bots_count(tea: Lab) -> Iterator[Lab]:
    """The same with the switch set to humans and bots: the views that count are made anew, as `migrate` does."""
    tea.remake_views(EXACT.model_copy(update={"counted_actor_kinds": ("human", "bot")}))
    yield tea
    tea.remake_views(EXACT)


def activity(lab: Lab) -> Rows:
    return {
        (community, *key): value
        for community in (known.TEA, known.POT)
        for key, value in ask(
            lab,
            "member_activity",
            community,
            "day, member_id, family, platform",
            "events, first_at, last_at, engaged, contributing",
        ).items()
    }


def by_hand(*kinds: str) -> Rows:
    return {
        (community, start.date(), member, family, platform): (
            *numbers,
            int(family in ENGAGED),
            int(family in CONTRIBUTING),
        )
        for (community, start, member, family, platform, kind), numbers in known.MEMBER_DAYS.items()
        if kind in kinds
    }


def test_member_activity_is_the_member_days_of_humans(tea: Lab) -> None:
    assert by_hand("human") == activity(tea)


def test_the_switch_lets_bots_count_everywhere_and_back(bots_count: Lab) -> None:
    assert by_hand("human", "bot") == activity(bots_count)
    chosen = "WHERE community_id = 'tea-house' AND toDate(start) = '2026-03-02'"
    assert [(11, 4, 4, 4)] == bots_count.warehouse.rows(
        f"SELECT events, members, engaged_members, contributing_members FROM {{db}}.activity_day {chosen}"
    )
    assert {(date(2026, 3, 2),): (4, 4, 4)} == {
        day: row
        for day, row in ask(bots_count, "presence_day", known.TEA, "day", "present, engaged, contributing").items()
        if day == (date(2026, 3, 2),)
    }


MONDAY, TUESDAY, WEDNESDAY = (date(2026, 3, day) for day in (2, 3, 4))


def test_presence_is_nested(tea: Lab) -> None:
    # Monday: ann, bo and cy all wrote. Tuesday: ann and bo wrote, cy reacted; ann's invite and bo's link are events.
    # Wednesday: ann wrote, bo ordered and reviewed, cy left.
    assert {
        (MONDAY,): (3, 3, 3, 10, 1),
        (TUESDAY,): (3, 3, 2, 5, 1),
        (WEDNESDAY,): (3, 2, 2, 4, 0),
    } == ask(tea, "presence_day", known.TEA, "day", "present, engaged, contributing, events, settled")


def test_a_day_on_which_nobody_came_is_a_row_of_zeros(tea: Lab) -> None:
    # The pottery spoke on Monday only; the watermark is Wednesday's.
    assert {(MONDAY,): (1, 1, 1, 1), (TUESDAY,): (0, 0, 0, 0), (WEDNESDAY,): (0, 0, 0, 0)} == ask(
        tea, "presence_day", known.POT, "day", "present, engaged, contributing, events"
    )
    assert {(MONDAY,): (1, 1, 1, 1.0), (TUESDAY,): (0, 1, 1, 0.0), (WEDNESDAY,): (0, 1, 1, 0.0)} == ask(
        tea, "active_members", known.POT, "day", "dau, wau, mau, stickiness"
    )


def test_a_community_that_nobody_ever_came_to_is_silent_since_its_first_day(tea: Lab) -> None:
    assert {(TUESDAY,): (0, 0, 0, 0), (WEDNESDAY,): (0, 0, 0, 0)} == ask(
        tea, "presence_day", "library", "day", "present, engaged, contributing, events"
    )


def test_active_members_and_stickiness(tea: Lab) -> None:
    rows = ask(tea, "active_members", known.TEA, "day", "dau, wau, mau, stickiness")
    assert {(MONDAY,): (3, 3, 3, 1.0), (TUESDAY,): (3, 3, 3, 1.0), (WEDNESDAY,): (2, 3, 3, 2 / 3)} == rows


def test_lifecycle_by_day_and_week(tea: Lab) -> None:
    columns = "active, new, returning, resurrecting, dormant"
    assert {
        (MONDAY,): (3, 3, 0, 0, 0),
        (TUESDAY,): (3, 0, 3, 0, 0),
        (WEDNESDAY,): (2, 0, 2, 0, -1),
    } == ask(tea, "lifecycle_day", known.TEA, "day", columns)
    assert {(MONDAY,): (3, 3, 0, 0, 0, 0)} == ask(tea, "lifecycle_week", known.TEA, "week", f"{columns}, settled")


def test_no_week_is_over_so_no_cohort_is_shown(tea: Lab) -> None:
    assert {} == ask(tea, "retention_week", known.TEA, "cohort_by, cohort_week, week", "members")


def test_active_days_of_seven_and_twenty_eight(tea: Lab) -> None:
    rows = ask(tea, "active_days", known.TEA, "length_days, active_days", "members")
    assert [(7, n) for n in range(1, 8)] + [(28, n) for n in range(1, 29)] == sorted(rows)
    # cy engaged on two days, ann and bo on three.
    assert {(7, 2): (1,), (7, 3): (2,), (28, 2): (1,), (28, 3): (2,)} == {k: v for k, v in rows.items() if v[0]}


def test_absence_factor_of_a_month(tea: Lab) -> None:
    # Messages and reviews: ann 3, bo 4 (one a review), cy 1; half of 8 is bo's alone.
    assert {(date(2026, 3, 1),): (1, 3, 8, 0.5, 0)} == ask(
        tea,
        "absence_factor_month",
        known.TEA,
        "month",
        "absence_factor, contributors, contributions, largest_share, settled",
    )


def test_breadth_of_a_week_of_tea(tea: Lab) -> None:
    # ann joined as a member and takes part on wechat, so does cy, of whom nothing was said; bo has four orders and
    # reviews in the shop and four messages, reactions and check-ins on wechat, which is the greater name.
    assert {("member", "", "wechat"): (1,), ("", "", "wechat"): (2,)} == ask(
        tea, "engaged_by_segment", known.TEA, "role, stage, platform", "members"
    )
    [(breadth, share, segments, members)] = ask(
        tea, "breadth", known.TEA, "days", "breadth, modal_share, segments, members"
    ).values()
    # Shares of 1/3 and 2/3: exp(1/3 ln 3 + 2/3 ln 3/2) = 3 / 2^(2/3).
    assert (pytest.approx(3 / 2 ** (2 / 3)), pytest.approx(2 / 3), 2, 3) == (breadth, share, segments, members)


def test_a_role_is_the_one_last_said_until_the_moment(lab: Lab) -> None:
    community = f"{lab.world()}roles"
    who = {"platform": "wechat", "community_id": community, "member_id": "ann"}
    # ann invites a guest, and stays a host.
    said = [
        *(("12:10", "join", "host"), ("12:20", "join", "member"), ("12:30", "join", "host")),
        ("12:32", "invite", "guest"),
    ]
    memberships = [
        who
        | {"event_id": clock, "type": "membership", "action": action, "role": role}
        | {"occurred_at": f"2026-03-02T{clock}:00Z"}
        for clock, action, role in said
    ]
    message = {"event_id": "hi", "type": "message", "text": "hi", "occurred_at": "2026-03-02T09:00:00Z"}
    store(lab, [*memberships, who | message])
    for minute, role in {5: "", 15: "host", 25: "member", 35: "host"}.items():
        moment = datetime(2026, 3, 2, 12, minute, tzinfo=UTC)
        assert {(role,): ("ann",)} == ask(
            lab, f"engaged_members_at{at(moment, days=28)}", community, "role", "member_id"
        )


def test_burstiness_of_a_member(tea: Lab) -> None:
    # ann engaged at 00:00:30, 00:01:00.5 and 09:30 of Monday.
    end = datetime(2026, 3, 2, 12, tzinfo=UTC)
    [(gaps, mean, value)] = tea.warehouse.rows(
        f"SELECT gaps, mean_gap_s, burstiness FROM {{db}}.member_burstiness_at{at(end, days=1)} "
        "WHERE community_id = 'tea-house' AND member_id = 'ann'"
    )
    # Gaps of 30.5 s and 34,139.5 s: mu = 17,085 s, sigma = 17,054.5 s.
    assert (2, 17_085.0) == (gaps, mean)
    assert pytest.approx((17_054.5 - 17_085) / (17_054.5 + 17_085)) == value


def test_days_are_those_of_the_community(circle: Lab) -> None:
    # The first meeting began on Thursday 8 January at 20:00 in New York, which is Friday in UTC.
    rows = circle.warehouse.rows(
        "SELECT day, groupArray(member_id) FROM {db}.member_activity "
        f"WHERE community_id = '{reading_circle.CIRCLE}' AND family = 'check_in' GROUP BY day ORDER BY day LIMIT 1"
    )
    assert [(date(2026, 1, 8), ["ada", "ben", "chi", "dev", "eve"])] == [(day, sorted(who)) for day, who in rows]
    # In UTC it is Monday; here the last Sunday of the ten weeks is still going on.
    days = ask(circle, "presence_day", reading_circle.CIRCLE, "day", "settled")
    assert (70, date(2026, 3, 1)) == (len(days), max(days)[0])
    assert {(date(2026, 3, 1),)} == {day for day, (settled,) in days.items() if not settled}
    going_on = f"SELECT DISTINCT toDate(start) FROM {{db}}.member_day WHERE community_id = '{reading_circle.CIRCLE}'"
    assert [(date(2026, 3, 1),)] == circle.warehouse.rows(f"{going_on} AND NOT settled")


def test_a_millisecond_in_days_that_are_alike_is_not_lost(lab: Lab) -> None:
    community = f"{lab.world()}clockwork"
    message = {"type": "message", "platform": "wechat", "community_id": community, "member_id": "ann", "text": "hi"}
    days = [f"2026-03-0{day}T12:00:00.000Z" for day in (1, 2, 3)] + ["2026-03-04T12:00:00.001Z"]
    store(lab, [message | {"event_id": day, "occurred_at": day} for day in days])
    moment = datetime(2026, 3, 5, tzinfo=UTC)
    # Two gaps of a day and one a millisecond longer: sigma is 1 ms x sqrt(2) / 3, mu a day.
    expected = -1 + 2 * (0.001 * 2**0.5 / 3) / 86_400
    for view in ("burstiness_at", "member_burstiness_at"):
        [(value,)] = ask(lab, f"{view}{at(moment, days=28)}", community, "days", "burstiness").values()
        assert pytest.approx(expected, abs=1e-11) == value


@pytest.mark.parametrize(
    ("moment", "new_york"),
    [
        (datetime(2026, 1, 2, 4, 59, 59, tzinfo=UTC), date(2026, 1, 1)),
        (datetime(2026, 1, 2, 5, tzinfo=UTC), date(2026, 1, 2)),
        # In summer its days begin an hour earlier.
        (datetime(2026, 7, 2, 3, 59, 59, tzinfo=UTC), date(2026, 7, 1)),
        (datetime(2026, 7, 2, 4, tzinfo=UTC), date(2026, 7, 2)),
    ],
)
def test_today_is_the_date_of_the_community(circle: Lab, moment: datetime, new_york: date) -> None:
    rows = circle.warehouse.rows(f"SELECT community_id, today FROM {{db}}.community_today_at{at(moment)}")
    assert {(reading_circle.CIRCLE, new_york), (known.POT, moment.date())} <= set(rows)


def test_retention_of_those_who_joined_in_the_first_week(circle: Lab) -> None:
    # ada, ben and chi come every week. dev writes in the first four and comes to the meeting of the fifth, week 4;
    # eve writes in the first three and comes to the meeting of week 3. Week 9 is not over.
    kept = [5, 5, 5, 5, 4, 3, 3, 3, 3]
    assert {(week,): (5, here, here) for week, here in enumerate(kept)} == ask(
        circle,
        "retention_week",
        reading_circle.CIRCLE,
        "week",
        "members, retained, retained_or_after",
        "cohort_by = 'join' AND cohort_week = '2025-12-22'",
    )


def test_who_fell_silent_is_at_risk_with_the_evidence(circle: Lab) -> None:
    # dev wrote 6 + 6 + 6 + 6 + 5 messages, met twice, and was last seen in week 4; eve wrote too little to be missed.
    rows = circle.warehouse.rows(
        "SELECT rank, member_id, messages, engaged_events, toMonday(toDate(last_at)), silent_days >= 30, last_platform "
        f"FROM {{db}}.members_at_risk WHERE community_id = '{reading_circle.CIRCLE}'"
    )
    assert [(1, "dev", 29, 31, date(2026, 1, 19), 1, "forum")] == rows


def test_an_event_that_comes_late_makes_its_member_new_on_an_earlier_day(lab: Lab) -> None:
    world = lab.world()
    watermark(lab, datetime(2026, 3, 4, 12, tzinfo=UTC))
    late, early, other = (
        {"event_id": day, "type": "message", "platform": "wechat", "community_id": f"{world}late", "text": "hi"}
        | {"member_id": member, "occurred_at": f"2026-03-{day}T12:00:00Z"}
        for day, member in (("02", "ann"), ("03", "ann"), ("01", "bo"))
    )
    columns = "new, returning, resurrecting, dormant"
    store(lab, [other, early])
    before = {"01": (1, 0, 0, 0), "02": (0, 0, 0, -1), "03": (1, 0, 0, 0), "04": (0, 0, 0, -1)}
    assert on_days(before) == ask(lab, "lifecycle_day", f"{world}late", "day", columns)
    store(lab, [late])
    after = {"01": (1, 0, 0, 0), "02": (1, 0, 0, -1), "03": (0, 1, 0, 0), "04": (0, 0, 0, -1)}
    assert on_days(after) == ask(lab, "lifecycle_day", f"{world}late", "day", columns)


def on_days(rows: dict[str, tuple[int, ...]]) -> Rows:
    """Rows by day of March 2026."""
    return {(date(2026, 3, int(day)),): numbers for day, numbers in rows.items()}
