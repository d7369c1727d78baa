"""Shared values, the gains of belonging and the belonging index in plain Python, from corrected facts of one community.

Shares no code with `streams`. Days and months are those of a zone; only humans count.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta, tzinfo
from statistics import fmean
from typing import Any, NamedTuple

from oracle import CONTRIBUTING, ENGAGED, bucket, event_time, family_of
from oracles.rituals import Occurrence
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


def month_of(day: date) -> date:
    return day.replace(day=1)


def humans(facts: Iterable[Event]) -> list[Event]:
    return sorted((fact for fact in facts if fact.get("actor_kind", "human") == "human"), key=event_time)


def told_hours(
    facts: Iterable[Event], lexicon: Lexicon, zone: tzinfo
) -> Iterator[tuple[date, str, str, str, list[datetime]]]:
    """Local day, kind, ref, member and times of each sign in each hour of UTC: all of them on the day of the first."""
    hours: dict[tuple[datetime, str, str, str], list[datetime]] = defaultdict(list)
    for fact in humans(facts):
        for kind, ref in signs(fact, lexicon):
            hours[bucket(event_time(fact), "hour"), kind, ref, fact["member_id"]].append(event_time(fact))
    for (_, *sign), ats in hours.items():
        yield (ats[0].astimezone(zone).date(), *sign, ats)


def told(
    facts: Iterable[Event], lexicon: Lexicon, zone: tzinfo = UTC
) -> dict[tuple[date, str, str, str], tuple[int, datetime, datetime]]:
    """(local day, kind, ref, member) -> events with the sign, the first and the last of them."""
    times: dict[tuple[date, str, str, str], list[datetime]] = defaultdict(list)
    for *key, ats in told_hours(facts, lexicon, zone):
        times[tuple(key)] += ats
    return {key: (len(ats), min(ats), max(ats)) for key, ats in times.items()}


def shared_values(
    facts: Iterable[Event], lexicon: Lexicon, acts: Acts, zone: tzinfo = UTC
) -> dict[tuple[date, str], Shared]:
    """(month, value) -> how it was spoken of and acted on."""
    spoke: dict[tuple[date, str], dict[str, list[datetime]]] = defaultdict(lambda: defaultdict(list))
    did: dict[str, dict[str, list[datetime]]] = defaultdict(lambda: defaultdict(list))
    actors: dict[tuple[date, str], set[str]] = defaultdict(set)
    for day, kind, ref, member, ats in told_hours(facts, lexicon, zone):
        if kind == "value":
            spoke[month_of(day), ref][member] += ats
        for value in acts:
            if (kind, ref) in acts[value]:
                did[value][member] += ats
                actors[month_of(day), value].add(member)
    everything = Counter(
        month_of(event_time(fact).astimezone(zone).date()) for fact in humans(facts) if fact["type"] == "message"
    )
    result = {}
    for month, value in {*spoke, *actors}:
        talk = spoke.get((month, value), {})
        follow = [
            member
            for member, ats in talk.items()
            if any(min(ats) <= at <= min(ats) + timedelta(days=28) for at in did[value].get(member, ()))
        ]
        messages = sum(map(len, talk.values()))
        share = messages / everything[month] if everything[month] else None
        result[month, value] = Shared(messages, share, len(talk), len(actors.get((month, value), ())), len(follow))
    return result


def gains(facts: Iterable[Event], answered: Collection[str], zone: tzinfo = UTC) -> dict[date, Gains]:
    """Month -> what was asked, answered within 24 hours, thanked for and bought together.

    `answered` are the ids of the messages that another member replied to within 24 hours.
    """
    tally: dict[date, dict[str, list[tuple[str, str]]]] = defaultdict(lambda: defaultdict(list))
    for day, kind, ref, member, ats in told_hours(facts, {}, zone):
        if kind in ("support", "question", "thanks", "group_buy"):
            tally[month_of(day)][kind] += [(member, ref)] * len(ats)
            if kind in ("support", "question") and ref in answered:
                tally[month_of(day)][f"{kind} answered"].append((member, ref))
    thanked = thanks(facts, zone)
    return {
        month: Gains(
            *(len(kinds[kind]) for kind in ("support", "support answered", "question", "question answered", "thanks")),
            len({member for member, _ in kinds["thanks"]}),
            len({receiver for of, _, receiver in thanked if of == month}),
            len({ref for _, ref in kinds["group_buy"]}),
            len({member for member, _ in kinds["group_buy"]}),
        )
        for month, kinds in tally.items()
    }


def thanks(facts: Iterable[Event], zone: tzinfo = UTC) -> dict[tuple[date, str, str], int]:
    """(month, who thanked, whom) -> messages that thank and answer or mention them."""
    counted = humans(facts)
    author = {fact["event_id"]: fact["member_id"] for fact in counted}
    acted = set(author.values())
    found: dict[tuple[date, str, str], int] = defaultdict(int)
    for fact in counted:
        if any(kind == "thanks" for kind, _ in signs(fact, {})):
            mentioned = fact.get("mentioned", dict.fromkeys(fact.get("mentions", ()), ""))
            receivers = {person for person, flagged in mentioned.items() if flagged in ("", "human")} & acted
            receivers |= {author.get(fact.get("reply_to") or "", fact["member_id"])}
            for receiver in receivers - {fact["member_id"]}:
                found[month_of(event_time(fact).astimezone(zone).date()), fact["member_id"], receiver] += 1
    return dict(found)


def give_and_receive(facts: Iterable[Event], zone: tzinfo = UTC) -> dict[tuple[date, str], tuple[int, int]]:
    """(month, member) -> replies to others, and theirs to messages of the member."""
    counted = humans(facts)
    author = {fact["event_id"]: fact["member_id"] for fact in counted}
    result: dict[tuple[date, str], list[int]] = defaultdict(lambda: [0, 0])
    for fact in counted:
        other = author.get(fact.get("reply_to") or "")
        if fact["type"] == "message" and other and other != fact["member_id"]:
            month = month_of(event_time(fact).astimezone(zone).date())
            result[month, fact["member_id"]][0] += 1
            result[month, other][1] += 1
    return {key: (given, received) for key, (given, received) in result.items()}


class Component(NamedTuple):
    """One part of the index in one month."""

    value: float
    months: int
    percentile: float | None


def components(
    facts: Iterable[Event],
    occurrences: Mapping[tuple[str, str, date], Occurrence],
    gained: Mapping[date, Gains],
    valued: Mapping[tuple[date, str], Shared],
    today: date,
    zone: tzinfo = UTC,
) -> dict[tuple[date, str], Component]:
    """(month, component) -> the part; months that are over by the day `today`."""
    engaged: dict[date, set[str]] = defaultdict(set)
    wrote: dict[date, set[str]] = defaultdict(set)
    for fact in humans(facts):
        month = month_of(event_time(fact).astimezone(zone).date())
        if fact["type"] in ENGAGED:
            engaged[month].add(fact["member_id"])
        if family_of(fact) in CONTRIBUTING:
            wrote[month].add(fact["member_id"])
    parts: dict[str, dict[date, list[float]]] = defaultdict(lambda: defaultdict(list))
    for month, members in engaged.items():
        before = engaged.get(month_of(month - timedelta(days=1)), set())
        parts["returning"][month] = [len(members & before) / len(members)]
        parts["contributing"][month] = [len(members & wrote[month]) / len(members)]
    for (_, _, day), each in occurrences.items():
        if each.eligible:
            parts["turnout"][month_of(day)].append(each.attendees / each.eligible)
        if each.habit_rate is not None:
            parts["habit"][month_of(day)].append(each.habit_rate)
    for month, gain in gained.items():
        asked = gain.support_asked + gain.knowledge_asked
        if asked:
            parts["answered"][month] = [(gain.support_answered + gain.knowledge_answered) / asked]
    for month in {month for month, _ in valued}:
        of_month = [shared for (when, _), shared in valued.items() if when == month]
        talkers = sum(shared.talkers for shared in of_month)
        if talkers:
            parts["talk_to_act"][month] = [sum(shared.talked_then_acted for shared in of_month) / talkers]
    found = {}
    for component, series in parts.items():
        over = [(month, round(fmean(values), 9)) for month, values in sorted(series.items()) if month < month_of(today)]
        for number, (month, value) in enumerate(over, start=1):
            found[month, component] = Component(value, number, percentile([v for _, v in over[:number]]))
    return found


def percentile(history: list[float]) -> float | None:
    """Where the last of a series stands among all of it: the share below, and half of its equals."""
    if len(history) < 6:
        return None
    ordered = sorted(history)
    return (bisect_left(ordered, history[-1]) + bisect_right(ordered, history[-1])) / 2 / len(history)
