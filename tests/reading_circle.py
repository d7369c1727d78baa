"""A small community of ten weeks, by a timetable that a person can read: for questions three days cannot answer.

Ten people in New York read together, Monday 22 December 2025 to Sunday 1 March 2026. On Thursdays at 20:00, which is
Friday in UTC, they meet; not on Christmas and New Year's Day. Everything an event says follows from the tables below.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

CIRCLE = "reading-circle"
ZONE = ZoneInfo("America/New_York")
FIRST_MONDAY = datetime(2025, 12, 22, tzinfo=ZONE)
WEEKS = 10

# Messages a week.
WRITES = {
    "ada": "3333333333",
    "ben": "2222222222",
    "chi": "1211121112",
    "dev": "6666500000",  # then silent
    "eve": "1110000000",
    "fay": "0022222222",
    "gus": "0002111211",
    "hal": "0000012112",
    "jun": "0000000022",
}

# Thursdays attended: x. ada is the host. ivy never comes.
ATTENDS = {
    "ada": "..xxxxxxxx",
    "ben": "..xxx.xxxx",
    "chi": "..xxxxx.xx",
    "dev": "..x.x.....",
    "eve": "..xx......",
    "fay": "....xxxxxx",
    "gus": ".....xxx.x",
    "hal": "......x.xx",
    "jun": "........xx",
}

# Week of joining, and who invited.
JOINS = {
    "ada": (0, ""),
    "ben": (0, ""),
    "chi": (0, ""),
    "dev": (0, "ada"),
    "eve": (0, "ada"),
    "ivy": (1, ""),
    "fay": (2, "ben"),
    "gus": (3, "chi"),
    "hal": (5, ""),
    "jun": (8, "fay"),
}

# Question of fay: week, who answers, after how many minutes.
ASKS = ((2, "ben", 120), (3, "chi", 30), (5, "", 0))

BUYERS = ("ada", "ben", "chi", "fay", "gus")
RATINGS = {"ben": 5, "chi": 4, "fay": 5}

SETTINGS = """
communities:
  reading-circle:
    name: Reading circle
    zone: America/New_York
    since: 2025-12-22
    rituals:
      circle:
        title: Thursday circle
        every: week
        weekdays: [thursday]
        at: "20:00"
        duration_minutes: 90
        host_id: ada
    values:
      slow reading:
        terms: [slow reading, page by page]
        acts:
          rituals: [circle]
          products: [long-novel]
    holidays:
      2025-12-25: Christmas
      2026-01-01: New Year's Day
  tea-house:
    name: Tea house
    zone: Asia/Shanghai
"""

_CHAT_DAYS = (0, 1, 2, 4, 5, 6)
_TEXTS = (
    "Chapter {n} was worth the wait",
    "Is anybody further than page {n}0?",
    "I like it page by page",
    "The ending of part {n} surprised me",
    "Slow reading suits this one",
)


def _at(week: int, day: int, hour: int, minute: int = 0, second: int = 0) -> datetime:
    """A local time; days count from Monday = 0."""
    return FIRST_MONDAY + timedelta(days=7 * week + day, hours=hour, minutes=minute, seconds=second)


def _event(at: datetime, family: str, member_id: str, platform: str = "forum", **rest: Any) -> dict[str, Any]:
    return {
        "type": family,
        "platform": platform,
        "community_id": CIRCLE,
        "member_id": member_id,
        "occurred_at": at.isoformat(),
        "schema_version": 1,
        **rest,
    }


def _chat(week: int) -> Iterator[dict[str, Any]]:
    """Evening talk: whoever writes after another member on the same day answers them."""
    written: list[tuple[datetime, str]] = []
    for place, (member, weeks) in enumerate(WRITES.items()):
        for number in range(int(weeks[week])):
            day = _CHAT_DAYS[(place + 2 * number) % len(_CHAT_DAYS)]
            # A sixth message would fall on the day of the third: each is some minutes later than the last.
            written.append((_at(week, day, 18, 7 * place, 20 * number), member))
    before: tuple[datetime, str, str] | None = None
    for number, (at, member) in enumerate(sorted(written)):
        event_id = f"chat-{week}-{number}"
        answers = before if before and before[0].date() == at.date() and before[1] != member else None
        # dev was on another platform at first, under another name.
        who = ("devster", "discord") if member == "dev" and week < 2 else (member, "forum")
        yield _event(
            at,
            "message",
            *who,
            event_id=event_id,
            text=_TEXTS[(week + number) % len(_TEXTS)].format(n=week + 1),
            language="en",
            conversation_id="lounge",
            **({"reply_to": answers[2]} if answers else {}),
        )
        before = (at, member, event_id)


def _circle(week: int) -> Iterator[dict[str, Any]]:
    for place, (member, weeks) in enumerate(ATTENDS.items()):
        if weeks[week] == "x":
            at = _at(week, 3, 20, 2 * place)
            event_id = f"circle-{week}-{member}"
            yield _event(at, "check_in", member, "app", event_id=event_id, ritual="circle", mode="online")


def _help(week: int) -> Iterator[dict[str, Any]]:
    for asked, helper, minutes in ASKS:
        if asked != week:
            continue
        at = _at(week, 2, 12)
        question, answer = f"ask-{week}", f"answer-{week}"
        yield _event(
            at, "message", "fay", event_id=question, text="Can anybody explain the letter?", conversation_id="help"
        )
        if helper:
            yield _event(
                at + timedelta(minutes=minutes),
                "message",
                helper,
                event_id=answer,
                text="It was written by the aunt",
                conversation_id="help",
                reply_to=question,
            )
            thanks = at + timedelta(minutes=minutes + 5)
            yield _event(
                thanks,
                "message",
                "fay",
                event_id=f"thanks-{week}",
                text="Thank you!",
                conversation_id="help",
                reply_to=answer,
            )


def _week(week: int) -> Iterator[dict[str, Any]]:
    for member, (joined, inviter) in JOINS.items():
        if joined == week:
            role = "host" if member == "ada" else "reader"
            invited = {"inviter_id": inviter} if inviter else {}
            yield _event(
                _at(week, 0, 9), "membership", member, event_id=f"join-{member}", action="join", role=role, **invited
            )
    yield from _chat(week)
    yield from _circle(week)
    yield from _help(week)
    if week >= JOINS["ivy"][0]:
        yield _event(
            _at(week, 6, 10), "reaction", "ivy", event_id=f"heart-{week}", target_id=f"chat-{week}-0", reaction="❤️"
        )
    # A bot that says so, and one that everybody took for a person until the last week.
    yield _event(
        _at(week, 3, 12), "message", "bookbot", event_id=f"remind-{week}", text="Circle tonight", actor_kind="bot"
    )
    yield _event(_at(week, 1, 7), "message", "quotes", event_id=f"quote-{week}", text="A quote a week")


def _once() -> Iterator[dict[str, Any]]:
    yield _event(
        _at(2, 0, 8),
        "identity",
        "dev",
        event_id="link-dev",
        action="link",
        linked_platform="discord",
        linked_account_id="devster",
    )
    yield _event(_at(4, 5, 3), "message", "stranger", event_id="spam", text="Buy followers")
    for target in ({"action": "hide", "target_id": "spam"}, {"action": "flag", "target_member_id": "quotes"}):
        flagged = {"flagged_kind": "bot"} if target["action"] == "flag" else {}
        yield _event(
            _at(9, 5, 9), "moderation", "mo", event_id=target["action"], actor_kind="staff", **target, **flagged
        )
    for place, member in enumerate(BUYERS):
        order = {"kind": "group_buy", "amount": "12.00", "currency": "USD", "product_id": "long-novel"}
        order |= {"order_id": "novels"}
        for step, (week, status) in enumerate(((6, "paid"), (7, "fulfilled"))):
            at = _at(week, 4, 21, place)
            yield _event(at, "order", member, "shop", event_id=f"novel-{member}-{step}", status=status, **order)
    for place, (member, rating) in enumerate(RATINGS.items()):
        yield _event(
            _at(8, 6, 20, place),
            "review",
            member,
            "shop",
            event_id=f"review-{member}",
            product_id="long-novel",
            rating=rating,
            text="Worth its length",
            order_id="novels",
        )


EVENTS: list[dict[str, Any]] = sorted(
    [*(event for week in range(WEEKS) for event in _week(week)), *_once()],
    key=lambda event: (datetime.fromisoformat(event["occurred_at"]), event["event_id"]),
)
