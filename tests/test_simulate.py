"""Simulated communities and the faults that are put into their stream."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from oracle import fold

from streams.simulate import PRESETS, Broken, Community, Drop, communities_of, inject, simulate
from streams.simulate.faults import BREAKAGES
from streams.topics import ALL, Rejected, by_name, parse
from streams.topics.decode import Decoder

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
WEEK = timedelta(days=7)


@pytest.fixture(scope="module")
def fortnight() -> list[dict]:
    return list(simulate(7, 8, MONDAY, MONDAY + 2 * WEEK, 0.05))


def at(event: dict) -> datetime:
    return datetime.fromisoformat(event["occurred_at"])


def test_every_event_is_valid(fortnight):
    for event in fortnight:
        parse(event)


def test_events_come_in_order_of_event_time_within_the_period(fortnight):
    assert all(one["occurred_at"] <= other["occurred_at"] for one, other in pairwise(fortnight))
    assert MONDAY <= at(fortnight[0])
    assert at(fortnight[-1]) < MONDAY + 2 * WEEK


def test_every_event_has_an_id_of_its_own(fortnight):
    assert len(fortnight) == len(fold(fortnight).facts)


def test_every_family_both_languages_and_every_kind_of_order_occur(fortnight):
    assert {family.name for family in ALL} == {event["type"] for event in fortnight}
    assert {"zh", "en"} == {event["language"] for event in fortnight if event["type"] == "message"}
    orders = [event for event in fortnight if event["type"] == "order"]
    assert {"standard", "presale", "group_buy"} == {order["kind"] for order in orders}
    assert {"placed", "deposit_paid", "paid", "fulfilled", "cancelled", "refunded"} == {o["status"] for o in orders}
    kinds = {event.get("actor_kind", "human") for event in fortnight}
    assert {"human", "bot", "staff"} == kinds


def test_the_rate_is_kept(fortnight):
    flat = [replace(community, weekly_growth=1.0) for community in PRESETS]
    events = sum(1 for _ in simulate(1, flat, MONDAY, MONDAY + WEEK, 0.2))
    assert 0.2 == pytest.approx(events / WEEK.total_seconds(), rel=0.05)


def test_equal_seeds_give_equal_events_and_other_seeds_others():
    def run(seed: int) -> list[dict]:
        return list(islice(simulate(seed, 3, MONDAY, None, 1.0), 2000))

    first, other = run(1), run(2)
    assert first == run(1)
    assert set() == {event["event_id"] for event in first} & {event["event_id"] for event in other}


def test_the_hash_seed_of_the_process_changes_nothing():
    code = (
        "from datetime import UTC, datetime; from itertools import islice; from hashlib import sha256\n"
        "from streams.simulate import simulate\n"
        "events = islice(simulate(3, 8, datetime(2026, 3, 2, tzinfo=UTC), None, 1.0), 3000)\n"
        "print(sha256(repr(list(events)).encode()).hexdigest())"
    )
    here = sha256(repr(list(islice(simulate(3, 8, MONDAY, None, 1.0), 3000))).encode()).hexdigest()
    for seed in ("1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": seed}
        there = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
        ).stdout.strip()
        assert here == there


@pytest.mark.parametrize("end", [MONDAY + timedelta(hours=5, minutes=7), MONDAY + timedelta(days=3)])
def test_a_later_end_only_adds_events_behind(end):
    short = list(simulate(5, 4, MONDAY, end, 0.3))
    longer = list(simulate(5, 4, MONDAY, end + timedelta(days=1), 0.3))
    assert short == [event for event in longer if at(event) < end]
    assert len(short) < len(longer)


def test_the_live_part_follows_the_history_at_its_own_rate():
    live_from = MONDAY + timedelta(hours=6, seconds=17)
    end = live_from + timedelta(seconds=60)
    events = list(simulate(5, 8, MONDAY, end, 0.05, live_from=live_from, live_rate=50.0))
    history = [event for event in events if at(event) < live_from]
    assert history == list(simulate(5, 8, MONDAY, end, 0.05, live_from=live_from, live_rate=50.0))[: len(history)]
    assert 600 < len(history) < 1600
    assert 50 == pytest.approx((len(events) - len(history)) / 60, rel=0.15)
    assert all(one["occurred_at"] <= other["occurred_at"] for one, other in pairwise(events))


def test_days_and_weeks_have_the_rhythm_of_the_zone():
    runners = replace(PRESETS[1], zone="America/New_York", rituals=())
    hours: Counter[int] = Counter()
    weekend = workday = 0
    for event in simulate(1, [runners], MONDAY, MONDAY + 4 * WEEK, 0.05):
        local = at(event).astimezone(ZoneInfo("America/New_York"))
        hours[local.hour] += 1
        weekend, workday = weekend + (local.weekday() >= 5), workday + (local.weekday() < 5)
    assert hours[7] > 5 * hours[3]
    assert 1.6 == pytest.approx((weekend / 2) / (workday / 5), rel=0.15)


def test_communities_grow_and_decline():
    def last_week_over_first(growth: float) -> float:
        one = replace(PRESETS[1], weekly_growth=growth, rituals=())
        weeks = Counter((at(event) - MONDAY) // WEEK for event in simulate(1, [one], MONDAY, MONDAY + 5 * WEEK, 0.02))
        return weeks[4] / weeks[0]

    assert 1.2**4 == pytest.approx(last_week_over_first(1.2), rel=0.15)
    assert 0.8**4 == pytest.approx(last_week_over_first(0.8), rel=0.15)


def test_few_members_write_most(fortnight):
    writers = Counter(
        event["member_id"]
        for event in fortnight
        if event["community_id"] == "dawn-makeup" and event["type"] == "message" and "actor_kind" not in event
    )
    top = sum(count for _, count in writers.most_common(len(writers) // 10))
    assert 0.4 < top / sum(writers.values()) < 0.9


def test_rituals_happen_at_their_local_hour_of_their_weekdays(fortnight):
    gathered = [event for event in fortnight if event.get("ritual") == "saturday-long-run"]
    london = ZoneInfo("Europe/London")
    assert {(5, 8)} == {
        (at(event).astimezone(london).weekday(), at(event).astimezone(london).hour) for event in gathered
    }
    assert 2 == len({at(event).date() for event in gathered})
    assert len(gathered) > 20


def test_orders_live_one_life_each_and_money_is_exact(fortnight):
    lives: dict[str, list[dict]] = defaultdict(list)
    for event in fortnight:
        if event["type"] == "order":
            lives[event["order_id"]].append(event)
    follows = {
        None: {"placed"},
        "placed": {"deposit_paid", "paid", "cancelled"},
        "deposit_paid": {"paid", "cancelled"},
        "paid": {"fulfilled"},
        "fulfilled": {"refunded"},
        "cancelled": set(),
        "refunded": set(),
    }
    for life in lives.values():
        for before, step in pairwise([None, *life]):
            assert step["status"] in follows[before and before["status"]]
        cents = {step["status"]: int(step["amount"].replace(".", "")) for step in life}
        if "paid" in cents and life[0]["kind"] == "presale":
            assert cents["placed"] == cents["deposit_paid"] + cents["paid"]


def test_a_need_is_put_together_by_several_members_in_a_conversation(fortnight):
    scene = PRESETS[0].topic.scenes[0]
    turns = [event for event in fortnight if event.get("text") in scene]
    firsts = [event for event in turns if event["text"] == scene[0]]
    assert firsts
    for first in firsts[:-1]:
        near = [e for e in turns if timedelta(0) <= at(e) - at(first) < timedelta(minutes=15)]
        assert set(scene) == {event["text"] for event in near}
        assert len({event["member_id"] for event in near}) >= 3
        assert first["conversation_id"] in {event["conversation_id"] for event in near}


def test_answers_and_reactions_point_at_earlier_messages(fortnight):
    seen: set[tuple[str, str]] = set()
    for event in fortnight:
        target = event.get("reply_to") or (event["type"] == "reaction" and event["target_id"])
        if target:
            assert (event["community_id"], target) in seen
        if event["type"] == "message":
            seen.add((event["community_id"], event["event_id"]))


def test_the_invited_join_after_the_invitation(fortnight):
    invited: dict[tuple[str, str], dict] = {}
    joined = 0
    for event in fortnight:
        if event["type"] != "membership":
            continue
        if event["action"] == "invite":
            invited[event["community_id"], event["invitee_id"]] = event
        elif event.get("inviter_id"):
            assert event["inviter_id"] == invited[event["community_id"], event["member_id"]]["member_id"]
            joined += 1
    assert joined > 10


def test_newcomers_do_nothing_before_they_join(fortnight):
    at_the_start = {community.id: community.members for community in PRESETS}
    joined: set[tuple[str, str]] = set()
    active: Counter[bool] = Counter()
    for event in fortnight:
        community, member = event["community_id"], event["member_id"].removeprefix("shop-")
        if member[0] != "u" or int(member[1:]) < at_the_start[community]:
            continue
        if event.get("action") == "join":
            joined.add((community, member))
        assert (community, member) in joined
        active[event.get("action") != "join"] += 1
    assert active[True] > 100


def test_more_communities_than_presets_have_ids_of_their_own():
    chosen = communities_of(200)
    assert 200 == len({community.id for community in chosen})
    assert all(isinstance(community, Community) for community in chosen)


@pytest.mark.parametrize(
    "arguments",
    [
        {"start": datetime(2026, 3, 2)},  # noqa: DTZ001
        {"rate": 0.0},
        {"communities": []},
        {"live_from": MONDAY, "live_rate": -1.0},
    ],
)
def test_arguments_that_mean_nothing_are_refused_at_once(arguments):
    with pytest.raises(ValueError, match=r".+"):
        simulate(**({"seed": 1, "communities": 2, "start": MONDAY, "end": MONDAY + WEEK} | arguments))


# Faults


def valid(stream) -> list[dict]:
    return [record for record in stream if isinstance(record, dict)]


def test_without_faults_the_stream_is_unchanged(fortnight):
    assert fortnight == list(inject(fortnight, 1))


def test_nothing_valid_is_lost_and_the_report_is_right(fortnight):
    report: Counter[str] = Counter()
    delivered = list(inject(fortnight, 1, duplicates=0.05, late=0.05, broken=0.01, report=report))
    events = valid(delivered)
    assert fold(fortnight).facts == fold(events).facts
    assert len(events) - len(fortnight) == report["duplicated"]
    assert len(events) == report["delivered"]
    assert len(delivered) - len(events) == report["broken"]
    for fault, share in (("duplicated", 0.05), ("late", 0.05), ("broken", 0.01)):
        assert share == pytest.approx(report[fault] / len(fortnight), rel=0.2)
    assert report["broken"] == sum(count for name, count in report.items() if name.startswith("broken."))


def test_equal_seeds_give_equal_faults(fortnight):
    faults = {"duplicates": 0.1, "late": 0.1, "broken": 0.05}
    once = list(inject(fortnight[:3000], 9, **faults))
    assert once == list(inject(fortnight[:3000], 9, **faults))
    assert once != list(inject(fortnight[:3000], 10, **faults))


def test_late_events_come_later_and_not_later_than_allowed(fortnight):
    most = timedelta(hours=2)
    latest = MONDAY
    late = 0
    for event in inject(fortnight, 3, late=0.1, max_lateness=most):
        behind = latest - at(event)
        late += behind > timedelta(0)
        # It waits for the first event after its hour.
        assert behind <= most + timedelta(minutes=10)
        latest = max(latest, at(event))
    assert late > 0.08 * len(fortnight)


def test_a_duplicate_is_the_same_event_and_never_the_first(fortnight):
    seen: dict[str, dict] = {}
    for event in inject(fortnight[:5000], 3, duplicates=0.2):
        assert event == seen.setdefault(event["event_id"], event)


def test_a_drop_takes_its_share_of_one_community_in_its_period_and_nothing_else(fortnight):
    report: Counter[str] = Counter()
    drop = Drop("slow-kitchen", MONDAY + timedelta(days=3), MONDAY + timedelta(days=5), 0.7)
    left = valid(inject(fortnight, 1, drop=drop, report=report))

    def hit(event: dict) -> bool:
        return event["community_id"] == "slow-kitchen" and drop.start <= at(event) < drop.end

    assert [event for event in fortnight if not hit(event)] == [event for event in left if not hit(event)]
    assert 0.3 == pytest.approx(sum(map(hit, left)) / sum(map(hit, fortnight)), abs=0.05)
    assert len(fortnight) - len(left) == report["dropped"]


TIMES = ("year_1970", "year_2100")  # well-formed: the ingest refuses them, by the earliest and latest time it is set to


def test_every_kind_of_broken_record_is_refused_by_the_decoder():
    event = next(e for e in simulate(1, 1, MONDAY, None, 1.0) if e["type"] == "message")
    reasons = {}
    for kind, breakage in BREAKAGES.items():
        if kind in TIMES:
            assert kind.removeprefix("year_") == str(parse(json.loads(breakage(event))).occurred_at.year)
            continue
        with pytest.raises(Rejected) as refused:
            Decoder(by_name["message"]).decode(breakage(event))
        reasons[kind] = refused.value.reason
    assert {
        "truncated_json": "invalid_json",
        "not_json": "invalid_json",
        "a_list": "invalid_json",
        "empty_batch": "invalid_json",
        "empty": "empty",
        "invalid_utf8": "invalid_utf8",
        "nul": "invalid_field",
        "deep": "too_deep",
        "wrong_type": "invalid_field",
        "missing_id": "invalid_field",
        "no_zone": "invalid_field",
        "unknown_version": "unknown_version",
        "unknown_type": "unknown_type",
        "huge_id": "invalid_field",
    } == reasons


def test_broken_records_of_all_families_and_kinds_occur_with_their_key(fortnight):
    broken = [record for record in inject(fortnight, 1, broken=0.2) if isinstance(record, Broken)]
    assert set(BREAKAGES) == {record.kind for record in broken}
    assert {family.name for family in ALL} >= {record.family for record in broken} >= {"message", "order"}
    keys = {f"{event['community_id']}/{event['member_id']}".encode() for event in fortnight}
    assert {record.key for record in broken} <= keys
    for record in broken:
        if record.kind not in TIMES:
            with pytest.raises(Rejected):
                Decoder(by_name[record.family]).decode(record.value)


def test_what_is_held_back_is_bounded(fortnight, monkeypatch):
    monkeypatch.setattr("streams.simulate.faults.MAX_HELD", 10)
    delivered = list(inject(fortnight[:2000], 1, late=0.5, max_lateness=timedelta(days=9)))
    positions = {event["event_id"]: i for i, event in enumerate(fortnight[:2000])}
    # Ten can be held: the stream never gets more than that ahead of the most patient one but the ends.
    moved = [positions[event["event_id"]] - i for i, event in enumerate(delivered)]
    assert max(moved) <= 11
    assert sorted(positions) == sorted(event["event_id"] for event in delivered)
