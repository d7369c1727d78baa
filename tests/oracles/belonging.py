"""Shared values, the gains of belonging and the belonging index in plain Python, from corrected facts of one community.

Shares no code with `streams`. Months are those of `zone`; only humans count.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any, NamedTuple

from oracles.signs import Lexicon, signs

Event = dict[str, Any]
Acts = Mapping[str, Iterable[tuple[str, str]]]
"""Value -> (kind, reference) of what counts as acting on it."""


class Shared(NamedTuple):
    """One value in one month."""

    messages: int
    talk_share: float | None
    talkers: int
    actors: int
    talked_then_acted: int


class Gains(NamedTuple):
    """What members gained in one month."""

    support_asked: int
    support_answered: int
    knowledge_asked: int
    knowledge_answered: int
    thanks: int
    thankful_members: int
    thanked_members: int
    group_buys: int
    group_buyers: int


def when(fact: Event) -> datetime:
    return datetime.fromisoformat(fact["occurred_at"])


def month_of(fact: Event, zone: tzinfo = UTC) -> date:
    return month_at(when(fact), zone)


def month_at(at: datetime, zone: tzinfo) -> date:
    return at.astimezone(zone).date().replace(day=1)


def humans(facts: Iterable[Event]) -> list[Event]:
    return sorted((fact for fact in facts if fact.get("actor_kind", "human") == "human"), key=when)


def shared_values(
    facts: Iterable[Event], lexicon: Lexicon, acts: Acts, zone: tzinfo = UTC
) -> dict[tuple[date, str], Shared]:
    """(month, value) -> how it was spoken of and acted on."""
    counted = humans(facts)
    result = {}
    for month in {month_of(fact, zone) for fact in counted}:
        for value in {*lexicon, *acts}:
            spoke: dict[str, list[datetime]] = defaultdict(list)
            did: dict[str, list[datetime]] = defaultdict(list)
            for fact in counted:
                found = list(signs(fact, lexicon))
                if ("value", value) in found and month_of(fact, zone) == month:
                    spoke[fact["member_id"]].append(when(fact))
                if set(found) & set(acts.get(value, ())):
                    did[fact["member_id"]].append(when(fact))
            actors = [m for m, ats in did.items() if any(month_at(at, zone) == month for at in ats)]
            if not spoke and not actors:
                continue
            follow = [
                m
                for m, ats in spoke.items()
                if any(ats[0] <= at <= ats[0] + timedelta(days=28) for at in did.get(m, ()))
            ]
            total = sum(fact["type"] == "message" and month_of(fact, zone) == month for fact in counted)
            messages = sum(map(len, spoke.values()))
            share = messages / total if total else None
            result[month, value] = Shared(messages, share, len(spoke), len(actors), len(follow))
    return result


def gains(facts: Iterable[Event], zone: tzinfo = UTC) -> dict[date, Gains]:
    """Month -> what was asked, answered within 24 hours, thanked for and bought together."""
    counted = humans(facts)
    replied = {
        fact["reply_to"]: fact
        for fact in reversed(counted)
        if fact.get("reply_to") and fact["member_id"] != author(counted, fact["reply_to"])
    }
    thanked = thanks(counted, zone)
    tally: dict[date, dict[str, list[tuple[str, str]]]] = defaultdict(lambda: defaultdict(list))
    for fact in counted:
        for kind, ref in signs(fact, {}):
            if kind in ("support", "question", "thanks", "group_buy"):
                month = tally[month_of(fact, zone)]
                month[kind].append((fact["member_id"], ref))
                answer = replied.get(fact["event_id"])
                if kind in ("support", "question") and answer and when(answer) - when(fact) <= timedelta(days=1):
                    month[f"{kind} answered"].append((answer["member_id"], ref))
    return {
        month: Gains(
            *(len(kinds[kind]) for kind in ("support", "support answered", "question", "question answered", "thanks")),
            len({member for member, _ in kinds["thanks"]}),
            len({receiver for when, _, receiver in thanked if when == month}),
            len({ref for _, ref in kinds["group_buy"]}),
            len({member for member, _ in kinds["group_buy"]}),
        )
        for month, kinds in tally.items()
    }


def author(facts: Iterable[Event], event_id: str) -> str | None:
    return next((fact["member_id"] for fact in facts if fact["event_id"] == event_id), None)


def thanks(facts: Iterable[Event], zone: tzinfo = UTC) -> dict[tuple[date, str, str], int]:
    """(month, who thanked, whom) -> messages that thank and answer or mention them."""
    counted = humans(facts)
    acted = {fact["member_id"] for fact in counted}
    found: dict[tuple[date, str, str], int] = defaultdict(int)
    for fact in counted:
        if any(kind == "thanks" for kind, _ in signs(fact, {})):
            mentioned = fact.get("mentioned", dict.fromkeys(fact.get("mentions", ()), ""))
            receivers = {person for person, flagged in mentioned.items() if flagged in ("", "human")} & acted
            if fact.get("reply_to"):
                receivers |= {author(counted, fact["reply_to"]) or fact["member_id"]}
            for receiver in receivers - {fact["member_id"]}:
                found[month_of(fact, zone), fact["member_id"], receiver] += 1
    return dict(found)


def give_and_receive(facts: Iterable[Event], zone: tzinfo = UTC) -> dict[tuple[date, str], tuple[int, int]]:
    """(month, member) -> replies to others, and theirs to messages of the member."""
    counted = humans(facts)
    result: dict[tuple[date, str], list[int]] = defaultdict(lambda: [0, 0])
    for fact in counted:
        other = author(counted, fact["reply_to"]) if fact.get("reply_to") else None
        if other and other != fact["member_id"]:
            result[month_of(fact, zone), fact["member_id"]][0] += 1
            result[month_of(fact, zone), other][1] += 1
    return {key: (given, received) for key, (given, received) in result.items()}


def percentile(history: list[float]) -> float | None:
    """Where the last of a series stands among all of it: the share below, and half of its equals."""
    if len(history) < 6:
        return None
    ordered = sorted(history)
    return (bisect_left(ordered, history[-1]) + bisect_right(ordered, history[-1])) / 2 / len(history)
