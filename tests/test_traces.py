"""The traces: small files written here, row by row, and the public data itself where it is at hand."""

from __future__ import annotations

import gzip
import json
import os
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path

import pytest
import trace_oracle
from folds import corrected_oracle
from oracle import fold

from streams.topics import parse
from streams.traces import TRACES, TraceMissing
from streams.traces.trace import pseudonym

DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
# In CI nothing may be missing: there the tests run, and fail without the data.
absent = not DATA.is_dir() and os.environ.get("CI") != "true"
needs_data = pytest.mark.skipif(absent, reason=f"the public data is not at {DATA}")


def write(folder: Path, **tables: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in tables.items():
        with gzip.open(folder / f"{name}.csv.gz", "wt", encoding="utf-8", newline="") as file:
            file.write(text)


def events_of(name: str, data: Path) -> list[dict]:
    events = list(TRACES[name].events(data))
    for event in events:
        parse(event)
    return events


def pick(events: list[dict], *fields: str) -> list[tuple]:
    return [tuple(event.get(field) for field in fields) for event in events]


def test_irc_rows_become_messages_memberships_and_identities(tmp_path):
    write(
        tmp_path / "irc_duraspace",
        events="ts_utc,event,actor,text\n"
        "2009-07-01T08:00:00Z,join,ann,\n"
        "2009-07-01T08:01:00Z,message,ann,hello\n"
        '2009-07-01T08:02:00Z,message,bo,"ann: look, a\0comma"\n'
        "2009-07-01T08:02:00Z,action,bo,grins\n"
        "2009-07-01T08:03:00Z,nick,bo,bo_\n"
        "2009-07-01T08:04:00Z,part,bo_,\n"
        "2009-07-01T08:05:00Z,quit,ann,\n"
        "2009-07-01T08:06:00Z,message,kompewter,beep\n",
    )
    ann, bo, bo_ = (pseudonym("irc_duraspace", nick) for nick in ("ann", "bo", "bo_"))
    events = events_of("irc_duraspace", tmp_path)
    assert [
        ("membership", ann, "join", None, None, None),
        ("message", ann, None, "hello", None, None),
        ("message", bo, None, "ann: look, a\ufffdcomma", [ann], None),
        ("message", bo, None, "grins", None, None),
        ("identity", bo, "link", None, None, bo_),
        ("membership", bo_, "leave", None, None, None),
        ("membership", ann, "leave", None, None, None),
        ("message", pseudonym("irc_duraspace", "kompewter"), None, "beep", None, None),
    ] == pick(events, "type", "member_id", "action", "text", "mentions", "linked_account_id")
    assert [None, "part", "quit", "bot"] == [
        events[0].get("reason"),
        events[5]["reason"],
        events[6]["reason"],
        events[7]["actor_kind"],
    ]


def test_equal_irc_rows_of_one_minute_are_distinct_facts(tmp_path):
    write(tmp_path / "irc_duraspace", events="ts_utc,event,actor,text\n" + "2009-07-01T08:01:00Z,message,ann,hi\n" * 3)
    assert 3 == len(fold(events_of("irc_duraspace", tmp_path)).facts)


def test_equal_check_ins_are_one_event_published_twice(tmp_path):
    write(
        tmp_path / "checkins_gowalla_nyc",
        venues="venue,name,lat,lon\n9,Pier,1,2\n",
        checkins="user,ts_utc,lat,lon,venue\n"
        "1,2010-10-12T00:21:28Z,40.6,-73.7,9\n"
        "1,2010-10-11T20:21:20Z,40.6,-73.7,9\n"
        "1,2010-10-12T00:21:28Z,40.6,-73.7,9\n"
        "1,2010-10-12T00:21:28Z,40.6,-73.7,8\n"
        "2,2010-10-12T00:21:28Z,40.6,-73.7,8\n",
    )
    events = events_of("checkins_gowalla_nyc", tmp_path)
    assert [
        ("2010-10-11T20:21:20Z", "9", "Pier"),
        ("2010-10-12T00:21:28Z", "9", "Pier"),
        ("2010-10-12T00:21:28Z", "9", "Pier"),
        ("2010-10-12T00:21:28Z", "8", None),
        ("2010-10-12T00:21:28Z", "8", None),
    ] == pick(events, "occurred_at", "place", "place_name")
    assert 4 == len(fold(events).facts)


def test_a_forum_becomes_joins_threads_and_anonymous_votes(tmp_path):
    write(
        tmp_path / "stackexchange_bicycles_meta",
        users="id,ts_utc,last_access,reputation\n-1,2010-08-25T18:00:00.000Z,,1\n7,2010-08-25T18:00:01.000Z,,1\n",
        posts="id,type,parent,accepted,ts_utc,user,score,closed,tags,title,text\n"
        "1,1,,,2010-08-25T19:00:00.187Z,7,8,,,Chains,How often?\n"
        "2,2,1,,2010-08-25T20:00:00.187Z,,8,,,,Weekly.\n",
        comments="id,post,ts_utc,user,score,text\n1,2,2010-08-25T21:00:00.900Z,7,0,Thanks\n",
        votes="id,post,vote_type,date,user\n1,2,2,2010-08-26,\n2,2,77,2010-08-26,\n",
    )
    seven = pseudonym("stackexchange_bicycles_meta", "7")
    events = events_of("stackexchange_bicycles_meta", tmp_path)
    assert [
        ("user-7", seven, "membership", None, None, None, None),
        ("post-1", seven, "message", "Chains\n\nHow often?", "post-1", None, None),
        ("post-2", "anonymous", "message", "Weekly.", "post-1", "post-1", None),
        ("comment-1", seven, "message", "Thanks", "post-1", "post-2", None),
        ("vote-1", "anonymous", "reaction", None, None, None, "up"),
        ("vote-2", "anonymous", "reaction", None, None, None, "vote_77"),
    ] == pick(events[1:], "event_id", "member_id", "type", "text", "conversation_id", "reply_to", "reaction")
    assert "bot" == events[0]["actor_kind"]
    assert "2010-08-26T00:00:00.000Z" == events[-1]["occurred_at"]


def test_equal_purchases_of_a_day_are_distinct_and_exact_to_the_cent(tmp_path):
    write(
        tmp_path / "orders_cdnow",
        transactions="customer,date,cds,dollars\n1,19970101,1,11.77\n1,19970101,1,11.77\n2,19970112,5,12.0\n",
    )
    events = events_of("orders_cdnow", tmp_path)
    assert [
        ("11.77", "1997-01-01T00:00:00Z"),
        ("11.77", "1997-01-01T00:00:00Z"),
        ("12.00", "1997-01-12T00:00:00Z"),
    ] == (pick(events, "amount", "occurred_at"))
    assert [1, 1, 5] == [event["items"][0]["quantity"] for event in events]
    assert 3 == len(fold(events).facts)


def test_olist_orders_become_steps_in_utc(tmp_path):
    write(
        tmp_path / "orders_olist10k",
        customers="customer_id,customer_unique_id\nc1,u1\nc2,u1\n",
        order_items="order_id,order_item_id,product_id,price,freight_value\no1,1,p1,199.9,18.14\no1,2,p2,0.1,0.0\n",
        orders="order_id,customer_id,order_status,order_purchase_timestamp,order_approved_at,"
        "order_delivered_customer_date\n"
        "o1,c1,delivered,2017-10-02 10:56:33,2017-10-02 11:07:15,2017-10-20 21:25:13\n"
        "o2,c2,canceled,2017-10-03 10:00:00,,\n",
    )
    events = events_of("orders_olist10k", tmp_path)
    assert [
        ("o1-placed", "2017-10-02T13:56:33Z", "218.14", None),
        ("o1-paid", "2017-10-02T14:07:15Z", "218.14", None),
        ("o2-placed", "2017-10-03T13:00:00Z", "0.00", None),
        ("o2-cancelled", "2017-10-03T13:00:00Z", "0.00", True),
        # Brazil had summer time then: two hours behind UTC, not three.
        ("o1-fulfilled", "2017-10-20T23:25:13Z", "218.14", None),
    ] == pick(events, "event_id", "occurred_at", "amount", "time_unknown")
    assert 1 == len({event["member_id"] for event in events})


def test_gitter_rooms_and_wikipedia_languages_are_communities(tmp_path):
    write(
        tmp_path / "gitter_livechat", messages="community,ts_utc,user,text\ndocker,2016-01-04T19:59:51Z,matrixbot,hi\n"
    )
    edit = {"time": "2015-09-12T00:47:35.776Z", "channel": "#vi.wikipedia", "cityName": "Hue", "comment": "sửa"}
    edit |= {"isRobot": False, "namespace": "Main", "page": "Agave", "user": "203.0.113.9"}
    (tmp_path / "wikiticker").mkdir()
    with gzip.open(tmp_path / "wikiticker" / "edits.jsonl.gz", "wt", encoding="utf-8") as file:
        file.write(json.dumps(edit) + "\n")
    assert [("gitter-docker", "bot", "hi")] == pick(
        events_of("gitter_livechat", tmp_path), "community_id", "actor_kind", "text"
    )
    edits = events_of("wikiticker", tmp_path)
    assert [("wiki-vi.wikipedia", "sửa", "Main/Agave")] == pick(edits, "community_id", "text", "conversation_id")
    assert "Hue" not in str(edits)
    assert "203.0.113.9" not in str(edits)


def test_missing_data_is_told_with_the_next_step(tmp_path):
    with pytest.raises(TraceMissing, match="--data"):
        next(TRACES["irc_duraspace"].events(tmp_path))
    (tmp_path / "irc_duraspace").mkdir()
    with pytest.raises(TraceMissing, match="PROVENANCE"):
        next(TRACES["irc_duraspace"].events(tmp_path))


COUNTS = {  # name: (events, distinct facts, communities, members)
    "irc_duraspace": (150_036, 150_036, 1, 1_038),
    "checkins_gowalla_nyc": (138_957, 138_951, 1, 7_115),
    "stackexchange_bicycles_meta": (12_116, 12_116, 1, 2_552),
    "orders_cdnow": (69_659, 69_659, 1, 23_570),
    "wikiticker": (39_232, 39_232, 51, 10_530),
    "gitter_livechat": (68_323, 68_323, 3, 5_717),
    "orders_olist10k": (29_787, 29_787, 1, 9_920),
}


@pytest.mark.real_data
@needs_data
@pytest.mark.parametrize("name", TRACES)
def test_every_event_of_the_public_data_is_valid_and_in_order(name):
    events = events_of(name, DATA)
    facts = fold(events).facts
    communities, members = ({event[key] for event in events} for key in ("community_id", "member_id"))
    assert COUNTS[name] == (len(events), len(facts), len(communities), len(members))
    assert all(one["occurred_at"] <= other["occurred_at"] for one, other in pairwise(events))
    assert all(community.startswith(TRACES[name].community_id) for community in communities)
    assert {TRACES[name].platform} == {event["platform"] for event in events}


@pytest.mark.real_data
@needs_data
@pytest.mark.parametrize("name", trace_oracle.SOURCES)
def test_the_fold_of_a_trace_equals_a_second_reading_of_its_files(name):
    numbers = trace_oracle.read(name, DATA)
    oracle = fold(TRACES[name].events(DATA))
    assert (numbers.facts, numbers.delivered) == (len(oracle.facts), len(oracle.facts) + oracle.duplicates)
    assert numbers.families == Counter(fact["type"] for fact in oracle.facts.values())
    oracle = corrected_oracle(oracle)
    for grain, expected in numbers.activity.items():
        actual = {
            (key.start, key.family, key.actor_kind): (activity.events, len(activity.members))
            for key, activity in oracle.activity(grain).items()
            if (numbers.community_id, numbers.platform) == (key.community_id, key.platform)
        }
        assert expected == actual
    days: dict = defaultdict(Counter)
    for key, activity in oracle.member_activity("day").items():
        days[key.start][key.member_id] += activity.events
    assert numbers.members_per_day == {day: len(who) for day, who in days.items()}
    assert numbers.events_of_members == {day: tuple(sorted(who.values())) for day, who in days.items()}


@pytest.mark.real_data
@needs_data
def test_the_money_of_the_purchases_is_exact():
    cents = sum(int(event["amount"].replace(".", "")) for event in TRACES["orders_cdnow"].events(DATA))
    assert trace_oracle.cdnow_cents(DATA) == cents
