"""Signs of belonging: what is found in texts and deeds, against words that were cut out one by one."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from conftest import required
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oracle import event_time
from oracles import signs as oracle
from pipeline import Lab, Log
from settled import RECEIVED_MS, declare, deliver

from streams.communities.rows import TABLES
from streams.communities.settings import Community, Value
from streams.processors.invalidations import Invalidation, encode
from streams.topics.internal import INVALIDATIONS
from streams.traces import TRACES

pytestmark = pytest.mark.connected

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"

LEXICON = {"slowness": ("slow living", "慢生活", "Tea", "茶"), "craft": ("hand-made", "K歌", "!?")}
AT = "2026-03-02T00:00:30Z"


def rows(lab: Lab, community: str) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    stored = lab.warehouse.rows(
        "SELECT community_id, start, kind, ref, member_id, actor_kind, s.events, first_at, last_at "
        "FROM {store}.sign_hour AS s FINAL WHERE community_id = {c:String}",
        {"c": community},
    )
    return {row[:6]: row[6:] for row in stored}


def event(community: str, number: int, family: str, **rest: Any) -> dict[str, Any]:
    return {
        "event_id": f"e{number}",
        "type": family,
        "platform": "chat",
        "community_id": community,
        "member_id": f"m{number % 3}",
        "occurred_at": AT,
        **rest,
    }


def lexicon_of(lab: Lab, community: str) -> dict[str, tuple[str, ...]]:
    declare(lab, community, Community(values={name: Value(terms=terms) for name, terms in LEXICON.items()}))
    return LEXICON


TEXTS = {
    "A cup of TEA, please": {("value", "slowness")},
    "teamwork": set(),
    "slow-living is a habit": {("value", "slowness")},
    "slow. Living": {("value", "slowness")},
    "我们去喝茶吧": {("value", "slowness")},
    "hand made, 去K歌": {("value", "craft")},
    "Thank you!": {("thanks", "e6")},
    "thankless": set(),
    "谢谢大家": {("thanks", "e8")},
    "How-to?": {("question", "e9")},
    "see http://x.example/?q=1 for it": set(),
    "今晚八点？": {("question", "e11")},
    "can someone HELP me, I am stuck": {("support", "e12")},
    "最近压力好大，请问怎么放松": {("support", "e13"), ("question", "e13")},
    "sadly helpful": set(),
    "": set(),
}


def test_signs_in_words(lab: Lab) -> None:
    world = f"{lab.world()}words"
    lexicon_of(lab, world)
    deliver(lab, [event(world, number, "message", text=text) for number, text in enumerate(TEXTS)])
    expected: dict[tuple[str, str, str], int] = {}
    for number, found in enumerate(TEXTS.values()):
        for sign in found:
            key = (*sign, f"m{number % 3}")
            expected[key] = expected.get(key, 0) + 1
    assert expected == {key[2:5]: numbers[0] for key, numbers in rows(lab, world).items()}


def test_an_answer_asks_for_nothing_and_other_families_do_what_they_are_about(lab: Lab) -> None:
    world = f"{lab.world()}deeds"
    order = {"order_id": "o1", "amount": "1", "currency": "CNY", "kind": "group_buy"}
    items = [{"product_id": "p1", "quantity": 1}, {"product_id": "p2", "quantity": 1}]
    deliver(
        lab,
        [
            event(world, 0, "message", text="help? thanks", reply_to="e9"),
            event(world, 1, "check_in", ritual="晨读", place="hall"),
            event(world, 2, "order", status="placed", items=items, product_id="p1", **order),
            event(world, 3, "order", status="paid", **order),
            event(world, 4, "order", status="cancelled", product_id="p1", **order),
            event(world, 5, "review", product_id="p2", rating=5, text="thanks"),
        ],
    )
    assert {
        ("thanks", "e0", "m0"),
        ("ritual", "晨读", "m1"),
        ("place", "hall", "m1"),
        ("product", "p1", "m2"),
        ("product", "p2", "m2"),
        ("group_buy", "o1", "m0"),
    } == {key[2:5] for key in rows(lab, world)}


PIECES = (
    "tea Tea 茶 慢生活 slow living hand made k K歌 歌 help thanks thank you how to 怎么 谢 谢谢 é 3 の ? ？ - _ . ' 👋",
    "{db}",
)
pieces = st.sampled_from([*" ".join(PIECES).split(), " ", "\n"])


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(pieces, max_size=8).map("".join), min_size=30, max_size=90))
def test_signs_are_those_of_the_plain_fold(lab: Lab, texts: list[str]) -> None:
    world = f"{lab.world()}generated"
    lexicon = lexicon_of(lab, world)
    events = [event(world, number, "message", text=text) for number, text in enumerate(texts)]
    deliver(lab, events)
    assert oracle.stored_rows(events, event_time, lexicon) == rows(lab, world)


def test_changed_terms_restate_what_was_said_before(lab: Lab) -> None:
    """No event comes: what changed is what a word stands for."""
    world = f"{lab.world()}changed"
    lexicon_of(lab, world)
    log = Log()
    for number, text in enumerate(["tea", "coffee"]):
        told = event(world, number, "message", text=text)
        log.append(lab.topic("message"), world.encode(), json.dumps(told).encode(), RECEIVED_MS)
    lab.drain(log)
    assert {("value", "slowness", "m0")} == {key[2:5] for key in rows(lab, world)}
    for table in TABLES:
        if table.name == "value_terms":
            later = {world: Community(values={"haste": Value(terms=("coffee",))})}
            lab.warehouse.insert("{store}.value_terms", table.filled(later, 2))
    lab.warehouse.command(
        "INSERT INTO {store}.value_terms (community_id, value, term, version, is_deleted) "
        "SELECT community_id, value, term, 2, 1 FROM {store}.value_terms FINAL "
        "WHERE community_id = {c:String} AND version = 1",
        {"c": world},
    )
    record = encode(Invalidation(world, [], settings=["values"]))
    log.append(INVALIDATIONS.topic(lab.settings.kafka.topic_prefix), world.encode(), record, RECEIVED_MS)
    lab.drain(log)
    assert {("value", "haste", "m1")} == {key[2:5] for key in rows(lab, world)}


@pytest.mark.real_data
def test_signs_of_a_year_of_a_real_channel(lab: Lab) -> None:
    required(DATA.is_dir(), f"the public data ({DATA})")
    year = [
        event
        for event in TRACES["irc_duraspace"].events(DATA)
        if event["type"] == "message" and "2012" <= event["occurred_at"] < "2012-07"
    ]
    declare(lab, "duraspace", Community(values={"open source": Value(terms=("open source", "community", "license"))}))
    deliver(lab, year)
    expected = oracle.stored_rows(year, event_time, {"open source": ("open source", "community", "license")})
    assert expected == rows(lab, "duraspace")
    kinds = {key[2] for key in expected}
    assert {"value", "support", "question", "thanks"} == kinds
    assert datetime(2012, 1, 1, tzinfo=UTC) <= min(key[1] for key in expected)
