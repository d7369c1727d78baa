"""A small community whose every number was worked out by hand: three days, all families, two platforms, one bot.

The expected rows are literals. Nothing here is computed from the events, so that no code, the oracle's included, marks
its own work. Tea house drinks in Shanghai, but every bucket is UTC.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

TEA = "tea-house"
POT = "pottery"


def _event(event_id: str, family: str, platform: str, member_id: str, occurred_at: str, **rest: Any) -> dict[str, Any]:
    return {
        "event_id": event_id,
        "type": family,
        "platform": platform,
        "community_id": rest.pop("community_id", TEA),
        "member_id": member_id,
        "occurred_at": occurred_at,
        "schema_version": 1,
        **rest,
    }


# In the order in which they are delivered: late, repeated and moved events included.
EVENTS: list[dict[str, Any]] = [
    # Monday 2 March. e01 is the first millisecond of a minute, an hour and a day.
    _event("e01", "membership", "wechat", "ann", "2026-03-02T00:00:00.000Z", action="join", role="member"),
    # The same id in another community is another event.
    _event("e01", "message", "discord", "ann", "2026-03-02T00:00:00Z", community_id=POT, text="Kiln is free tonight"),
    # 08:00:30 in Shanghai is 00:00:30 UTC.
    _event(
        "e02", "message", "wechat", "ann", "2026-03-02T08:00:30+08:00", text="早上赶时间，来不及好好化妆", language="zh"
    ),
    # The last millisecond of minute 00:00.
    _event("e03", "message", "wechat", "bo", "2026-03-02T00:00:59.999Z", text="粉底总是拍不匀", reply_to="e02"),
    _event("e04", "message", "wechat", "bo", "2026-03-02T00:01:00Z", text="有没有自然一点的？", mentions=["ann"]),
    _event("e05", "reaction", "wechat", "ann", "2026-03-02T00:01:00.500Z", target_id="e04", reaction="👍"),
    _event("e06", "message", "wechat", "helper", "2026-03-02T00:01:10Z", text="欢迎新朋友", actor_kind="bot"),
    _event("e07", "check_in", "wechat", "ann", "2026-03-02T09:30:00Z", ritual="晨读", mode="online"),
    # Truncated, not rounded: stays in 09:59.
    _event("e08", "check_in", "wechat", "bo", "2026-03-02T09:59:59.999900Z", ritual="晨读", mode="online"),
    _event(
        "e09",
        "order",
        "shop",
        "bo",
        "2026-03-02T10:00:00Z",
        order_id="o1",
        kind="presale",
        status="placed",
        amount="39.90",
        currency="CNY",
        items=[{"product_id": "base-1", "quantity": 1, "unit_price": "39.90"}],
    ),
    # Tuesday, 07:59:59 in Shanghai: still Monday in UTC.
    _event("e12", "message", "wechat", "cy", "2026-03-03T07:59:59+08:00", text="早"),
    # The last millisecond of Monday.
    _event(
        "e10",
        "order",
        "shop",
        "bo",
        "2026-03-02T23:59:59.999Z",
        order_id="o1",
        kind="presale",
        status="paid",
        amount="39.90",
        currency="CNY",
    ),
    # Tuesday 3 March.
    _event("e11", "message", "wechat", "ann", "2026-03-03T00:00:00Z", text="新的一天"),
    _event(
        "e13", "membership", "wechat", "ann", "2026-03-03T12:00:00Z", action="invite", inviter_id="ann", invitee_id="cy"
    ),
    _event(
        "e14",
        "identity",
        "wechat",
        "bo",
        "2026-03-03T12:00:30Z",
        action="link",
        linked_platform="shop",
        linked_account_id="bo",
    ),
    # Sent twice: the later version moved it from 12:10 to 12:20 and wins.
    _event("e15", "message", "wechat", "bo", "2026-03-03T12:10:00Z", text="今晚七点？", sent_at="2026-03-03T12:10:01Z"),
    _event("e15", "message", "wechat", "bo", "2026-03-03T12:20:00Z", text="今晚八点？", sent_at="2026-03-03T12:30:00Z"),
    # The older version once more, late: changes nothing.
    _event("e15", "message", "wechat", "bo", "2026-03-03T12:10:00Z", text="今晚七点？", sent_at="2026-03-03T12:10:01Z"),
    _event("e16", "reaction", "wechat", "cy", "2026-03-03T12:20:59Z", target_id="e15", reaction="❤️", action="add"),
    # An exact duplicate.
    _event("e11", "message", "wechat", "ann", "2026-03-03T00:00:00Z", text="新的一天"),
    # Wednesday 4 March.
    _event(
        "e18",
        "order",
        "shop",
        "bo",
        "2026-03-04T06:00:00Z",
        order_id="o1",
        kind="presale",
        status="fulfilled",
        amount="39.90",
        currency="CNY",
    ),
    _event(
        "e19",
        "review",
        "shop",
        "bo",
        "2026-03-04T06:30:00Z",
        product_id="base-1",
        rating=5,
        text="很自然",
        order_id="o1",
    ),
    _event(
        "e20",
        "moderation",
        "wechat",
        "mo",
        "2026-03-04T06:45:15Z",
        action="flag",
        target_member_id="helper",
        flagged_kind="bot",
        reason="sends greetings",
        actor_kind="staff",
    ),
    _event("e21", "message", "wechat", "ann", "2026-03-04T06:45:16Z", text="谢谢大家"),
    # The last millisecond of Wednesday.
    _event("e22", "membership", "wechat", "cy", "2026-03-04T23:59:59.999Z", action="leave"),
]

DELIVERED = 25
FACTS = 22


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# (community, start, family, platform, actor kind): (events, members)
MINUTES = {
    (POT, _at("2026-03-02T00:00"), "message", "discord", "human"): (1, {"ann"}),
    (TEA, _at("2026-03-02T00:00"), "membership", "wechat", "human"): (1, {"ann"}),
    (TEA, _at("2026-03-02T00:00"), "message", "wechat", "human"): (2, {"ann", "bo"}),
    (TEA, _at("2026-03-02T00:01"), "message", "wechat", "human"): (1, {"bo"}),
    (TEA, _at("2026-03-02T00:01"), "message", "wechat", "bot"): (1, {"helper"}),
    (TEA, _at("2026-03-02T00:01"), "reaction", "wechat", "human"): (1, {"ann"}),
    (TEA, _at("2026-03-02T09:30"), "check_in", "wechat", "human"): (1, {"ann"}),
    (TEA, _at("2026-03-02T09:59"), "check_in", "wechat", "human"): (1, {"bo"}),
    (TEA, _at("2026-03-02T10:00"), "order", "shop", "human"): (1, {"bo"}),
    (TEA, _at("2026-03-02T23:59"), "message", "wechat", "human"): (1, {"cy"}),
    (TEA, _at("2026-03-02T23:59"), "order", "shop", "human"): (1, {"bo"}),
    (TEA, _at("2026-03-03T00:00"), "message", "wechat", "human"): (1, {"ann"}),
    (TEA, _at("2026-03-03T12:00"), "membership", "wechat", "human"): (1, {"ann"}),
    (TEA, _at("2026-03-03T12:00"), "identity", "wechat", "human"): (1, {"bo"}),
    (TEA, _at("2026-03-03T12:20"), "message", "wechat", "human"): (1, {"bo"}),
    (TEA, _at("2026-03-03T12:20"), "reaction", "wechat", "human"): (1, {"cy"}),
    (TEA, _at("2026-03-04T06:00"), "order", "shop", "human"): (1, {"bo"}),
    (TEA, _at("2026-03-04T06:30"), "review", "shop", "human"): (1, {"bo"}),
    (TEA, _at("2026-03-04T06:45"), "moderation", "wechat", "staff"): (1, {"mo"}),
    (TEA, _at("2026-03-04T06:45"), "message", "wechat", "human"): (1, {"ann"}),
    (TEA, _at("2026-03-04T23:59"), "membership", "wechat", "human"): (1, {"cy"}),
}

HOURS = {
    (POT, _at("2026-03-02T00:00"), "message", "discord", "human"): (1, {"ann"}),
    (TEA, _at("2026-03-02T00:00"), "membership", "wechat", "human"): (1, {"ann"}),
    (TEA, _at("2026-03-02T00:00"), "message", "wechat", "human"): (3, {"ann", "bo"}),
    (TEA, _at("2026-03-02T00:00"), "message", "wechat", "bot"): (1, {"helper"}),
    (TEA, _at("2026-03-02T00:00"), "reaction", "wechat", "human"): (1, {"ann"}),
    (TEA, _at("2026-03-02T09:00"), "check_in", "wechat", "human"): (2, {"ann", "bo"}),
    (TEA, _at("2026-03-02T10:00"), "order", "shop", "human"): (1, {"bo"}),
    (TEA, _at("2026-03-02T23:00"), "message", "wechat", "human"): (1, {"cy"}),
    (TEA, _at("2026-03-02T23:00"), "order", "shop", "human"): (1, {"bo"}),
    (TEA, _at("2026-03-03T00:00"), "message", "wechat", "human"): (1, {"ann"}),
    (TEA, _at("2026-03-03T12:00"), "membership", "wechat", "human"): (1, {"ann"}),
    (TEA, _at("2026-03-03T12:00"), "identity", "wechat", "human"): (1, {"bo"}),
    (TEA, _at("2026-03-03T12:00"), "message", "wechat", "human"): (1, {"bo"}),
    (TEA, _at("2026-03-03T12:00"), "reaction", "wechat", "human"): (1, {"cy"}),
    (TEA, _at("2026-03-04T06:00"), "order", "shop", "human"): (1, {"bo"}),
    (TEA, _at("2026-03-04T06:00"), "review", "shop", "human"): (1, {"bo"}),
    (TEA, _at("2026-03-04T06:00"), "moderation", "wechat", "staff"): (1, {"mo"}),
    (TEA, _at("2026-03-04T06:00"), "message", "wechat", "human"): (1, {"ann"}),
    (TEA, _at("2026-03-04T23:00"), "membership", "wechat", "human"): (1, {"cy"}),
}

DAYS = {
    (POT, _at("2026-03-02T00:00"), "message", "discord", "human"): (1, {"ann"}),
    (TEA, _at("2026-03-02T00:00"), "membership", "wechat", "human"): (1, {"ann"}),
    (TEA, _at("2026-03-02T00:00"), "message", "wechat", "human"): (4, {"ann", "bo", "cy"}),
    (TEA, _at("2026-03-02T00:00"), "message", "wechat", "bot"): (1, {"helper"}),
    (TEA, _at("2026-03-02T00:00"), "reaction", "wechat", "human"): (1, {"ann"}),
    (TEA, _at("2026-03-02T00:00"), "check_in", "wechat", "human"): (2, {"ann", "bo"}),
    (TEA, _at("2026-03-02T00:00"), "order", "shop", "human"): (2, {"bo"}),
    (TEA, _at("2026-03-03T00:00"), "message", "wechat", "human"): (2, {"ann", "bo"}),
    (TEA, _at("2026-03-03T00:00"), "membership", "wechat", "human"): (1, {"ann"}),
    (TEA, _at("2026-03-03T00:00"), "identity", "wechat", "human"): (1, {"bo"}),
    (TEA, _at("2026-03-03T00:00"), "reaction", "wechat", "human"): (1, {"cy"}),
    (TEA, _at("2026-03-04T00:00"), "order", "shop", "human"): (1, {"bo"}),
    (TEA, _at("2026-03-04T00:00"), "review", "shop", "human"): (1, {"bo"}),
    (TEA, _at("2026-03-04T00:00"), "moderation", "wechat", "staff"): (1, {"mo"}),
    (TEA, _at("2026-03-04T00:00"), "message", "wechat", "human"): (1, {"ann"}),
    (TEA, _at("2026-03-04T00:00"), "membership", "wechat", "human"): (1, {"cy"}),
}

# (community, start, member, family, platform, actor kind): (events, first, last)
MEMBER_DAYS = {
    (POT, _at("2026-03-02"), "ann", "message", "discord", "human"): (
        1,
        _at("2026-03-02T00:00:00"),
        _at("2026-03-02T00:00:00"),
    ),
    (TEA, _at("2026-03-02"), "ann", "membership", "wechat", "human"): (
        1,
        _at("2026-03-02T00:00:00"),
        _at("2026-03-02T00:00:00"),
    ),
    (TEA, _at("2026-03-02"), "ann", "message", "wechat", "human"): (
        1,
        _at("2026-03-02T00:00:30"),
        _at("2026-03-02T00:00:30"),
    ),
    (TEA, _at("2026-03-02"), "bo", "message", "wechat", "human"): (
        2,
        _at("2026-03-02T00:00:59.999"),
        _at("2026-03-02T00:01:00"),
    ),
    (TEA, _at("2026-03-02"), "cy", "message", "wechat", "human"): (
        1,
        _at("2026-03-02T23:59:59"),
        _at("2026-03-02T23:59:59"),
    ),
    (TEA, _at("2026-03-02"), "helper", "message", "wechat", "bot"): (
        1,
        _at("2026-03-02T00:01:10"),
        _at("2026-03-02T00:01:10"),
    ),
    (TEA, _at("2026-03-02"), "ann", "reaction", "wechat", "human"): (
        1,
        _at("2026-03-02T00:01:00.500"),
        _at("2026-03-02T00:01:00.500"),
    ),
    (TEA, _at("2026-03-02"), "ann", "check_in", "wechat", "human"): (
        1,
        _at("2026-03-02T09:30:00"),
        _at("2026-03-02T09:30:00"),
    ),
    (TEA, _at("2026-03-02"), "bo", "check_in", "wechat", "human"): (
        1,
        _at("2026-03-02T09:59:59.999"),
        _at("2026-03-02T09:59:59.999"),
    ),
    (TEA, _at("2026-03-02"), "bo", "order", "shop", "human"): (
        2,
        _at("2026-03-02T10:00:00"),
        _at("2026-03-02T23:59:59.999"),
    ),
    (TEA, _at("2026-03-03"), "ann", "message", "wechat", "human"): (
        1,
        _at("2026-03-03T00:00:00"),
        _at("2026-03-03T00:00:00"),
    ),
    (TEA, _at("2026-03-03"), "bo", "message", "wechat", "human"): (
        1,
        _at("2026-03-03T12:20:00"),
        _at("2026-03-03T12:20:00"),
    ),
    (TEA, _at("2026-03-03"), "ann", "membership", "wechat", "human"): (
        1,
        _at("2026-03-03T12:00:00"),
        _at("2026-03-03T12:00:00"),
    ),
    (TEA, _at("2026-03-03"), "bo", "identity", "wechat", "human"): (
        1,
        _at("2026-03-03T12:00:30"),
        _at("2026-03-03T12:00:30"),
    ),
    (TEA, _at("2026-03-03"), "cy", "reaction", "wechat", "human"): (
        1,
        _at("2026-03-03T12:20:59"),
        _at("2026-03-03T12:20:59"),
    ),
    (TEA, _at("2026-03-04"), "bo", "order", "shop", "human"): (
        1,
        _at("2026-03-04T06:00:00"),
        _at("2026-03-04T06:00:00"),
    ),
    (TEA, _at("2026-03-04"), "bo", "review", "shop", "human"): (
        1,
        _at("2026-03-04T06:30:00"),
        _at("2026-03-04T06:30:00"),
    ),
    (TEA, _at("2026-03-04"), "mo", "moderation", "wechat", "staff"): (
        1,
        _at("2026-03-04T06:45:15"),
        _at("2026-03-04T06:45:15"),
    ),
    (TEA, _at("2026-03-04"), "ann", "message", "wechat", "human"): (
        1,
        _at("2026-03-04T06:45:16"),
        _at("2026-03-04T06:45:16"),
    ),
    (TEA, _at("2026-03-04"), "cy", "membership", "wechat", "human"): (
        1,
        _at("2026-03-04T23:59:59.999"),
        _at("2026-03-04T23:59:59.999"),
    ),
}

# Where hours differ from days: bo's check-in, ann's and cy's evening stay in hours of their own. A sample by hand.
MEMBER_HOURS_SAMPLE = {
    (TEA, _at("2026-03-02T00:00"), "bo", "message", "wechat", "human"): (
        2,
        _at("2026-03-02T00:00:59.999"),
        _at("2026-03-02T00:01:00"),
    ),
    (TEA, _at("2026-03-02T10:00"), "bo", "order", "shop", "human"): (
        1,
        _at("2026-03-02T10:00:00"),
        _at("2026-03-02T10:00:00"),
    ),
    (TEA, _at("2026-03-02T23:00"), "bo", "order", "shop", "human"): (
        1,
        _at("2026-03-02T23:59:59.999"),
        _at("2026-03-02T23:59:59.999"),
    ),
}
MEMBER_HOURS = 21  # one more than member-days: bo's two order steps of Monday are hours apart

# (at, window, humans only): {community: (events, present, engaged, contributing)}
# A window of n minutes is the minute that contains the moment, and the n - 1 before it.
ROLLING = {
    # Minute 00:01 alone: e04 and e05, not the bot.
    (_at("2026-03-02T00:01:00"), timedelta(minutes=1), True): {TEA: (2, 2, 2, 1)},
    # Minute 00:00, from its last millisecond: e01 (ann, join), e02, e03; and the pottery's message.
    (_at("2026-03-02T00:00:59.999"), timedelta(minutes=1), True): {TEA: (3, 2, 2, 2), POT: (1, 1, 1, 1)},
    # e01 .. e06 without the bot.
    (_at("2026-03-02T00:04:00"), timedelta(minutes=5), True): {TEA: (5, 2, 2, 2), POT: (1, 1, 1, 1)},
    # The bot counts when asked for: one more event, one more of everybody.
    (_at("2026-03-02T00:04:00"), timedelta(minutes=5), False): {TEA: (6, 3, 3, 3), POT: (1, 1, 1, 1)},
    # One minute later 00:00 is out, to the end of the minute: e04, e05.
    (_at("2026-03-02T00:05:00"), timedelta(minutes=5), True): {TEA: (2, 2, 2, 1)},
    (_at("2026-03-02T00:05:59"), timedelta(minutes=5), True): {TEA: (2, 2, 2, 1)},
    # e07, e08, e09: ann and bo engaged, nobody wrote.
    (_at("2026-03-02T10:00:00"), timedelta(hours=1), True): {TEA: (3, 2, 2, 0)},
    # 09:30 is the first minute of the hour that ends with 10:29, and out of the next one: e08, e09 are left.
    (_at("2026-03-02T10:29:59"), timedelta(hours=1), True): {TEA: (3, 2, 2, 0)},
    (_at("2026-03-02T10:30:00"), timedelta(hours=1), True): {TEA: (2, 1, 1, 0)},
    # e13 .. e16 (e15 once, at 12:20): ann present, bo and cy engaged, bo wrote.
    (_at("2026-03-03T12:20:59"), timedelta(hours=1), True): {TEA: (4, 3, 2, 1)},
    # From Monday 12:21 to Tuesday 12:20: e10, e12, e11, e13, e14, e15, e16.
    (_at("2026-03-03T12:20:59"), timedelta(days=1), True): {TEA: (7, 3, 3, 3)},
    # The last minute of Monday: all of it, without the bot. ann, bo and cy wrote.
    (_at("2026-03-02T23:59:00"), timedelta(days=1), True): {TEA: (10, 3, 3, 3), POT: (1, 1, 1, 1)},
    # One minute later e01, e02, e03 and the pottery are out, and e11 is in. ann wrote that one.
    (_at("2026-03-03T00:00:00"), timedelta(days=1), True): {TEA: (8, 3, 3, 3)},
    # Everything: 19 human events of the tea house (21 without helper's and mo's), ann, bo and cy.
    (_at("2026-03-05T00:00:00"), timedelta(days=7), True): {TEA: (19, 3, 3, 3), POT: (1, 1, 1, 1)},
    # Seven days later to the minute, then one minute more: minute 00:00 of Monday falls out.
    (_at("2026-03-08T23:59:59"), timedelta(days=7), True): {TEA: (19, 3, 3, 3), POT: (1, 1, 1, 1)},
    (_at("2026-03-09T00:00:00"), timedelta(days=7), True): {TEA: (16, 3, 3, 3)},
    # The same with 28 days.
    (_at("2026-03-29T23:59:30"), timedelta(days=28), True): {TEA: (19, 3, 3, 3), POT: (1, 1, 1, 1)},
    (_at("2026-03-30T00:00:00"), timedelta(days=28), True): {TEA: (16, 3, 3, 3)},
    # An empty window.
    (_at("2026-03-02T05:00:00"), timedelta(hours=1), True): {},
}
