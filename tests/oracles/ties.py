"""Ties and responses in plain Python: what the views must say about a list of facts.

Facts are contract dicts, corrections applied (`oracles.corrections`); `time_of` gives the time a fact goes by. Nothing
of the project is imported, and nothing is kept between an act and a number: each number walks over the facts again.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo
from itertools import accumulate, permutations
from typing import Any, NamedTuple

Fact = dict[str, Any]
TimeOf = Callable[[Fact], datetime]
ZoneOf = Callable[[str], tzinfo]
Pair = tuple[str, str, str]
"""Community, member, other member."""

HUMANS = ("human",)
ENGAGING = {"message", "reaction", "check_in", "order", "review"}
CROWD = 50
NEVER = datetime(1970, 1, 1, tzinfo=UTC)


def minute(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)


def kind_of(fact: Fact) -> str:
    return str(fact.get("actor_kind", "human"))


class Act(NamedTuple):
    """One member reached another, or did what may lead to it."""

    kind: str
    fact: Fact
    at: datetime
    other: Fact | None = None
    """The fact that was answered or reacted to."""
    object: str = ""
    """Mentioned member, or ritual."""
    flagged: str = ""
    """What moderation says of the mentioned member."""


def acts(facts: Collection[Fact], time_of: TimeOf) -> Iterator[Act]:
    by_id = {(fact["community_id"], fact["event_id"]): fact for fact in facts}
    for fact in facts:
        at = time_of(fact)
        community = fact["community_id"]
        if fact["type"] == "message":
            if fact.get("reply_to"):
                yield Act("reply", fact, at, by_id.get((community, fact["reply_to"])))
            else:
                yield Act("start", fact, at)
            for person, flagged in fact["mentioned"].items():
                yield Act("mention", fact, at, object=person, flagged=flagged)
        elif fact["type"] == "reaction":
            yield Act("reaction", fact, at, by_id.get((community, fact["target_id"])))
        elif fact["type"] == "check_in" and fact.get("ritual"):
            yield Act("attended", fact, at, object=fact["ritual"])


def starts(fact: Fact) -> bool:
    return fact["type"] == "message" and not fact.get("reply_to")


def stored_rows(facts: Collection[Fact], time_of: TimeOf) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """The table: (community, minute, kind, member, its kind, other, its kind, subject, its time) -> numbers."""
    rows: dict[tuple[Any, ...], list[tuple[int, datetime]]] = defaultdict(list)
    for act in acts(facts, time_of):
        who = (act.fact["member_id"], kind_of(act.fact))
        whom, subject = ("", ""), ("", NEVER)
        if act.kind == "start":
            subject = (act.fact["event_id"], act.at)
        elif act.kind == "attended":
            subject = (act.object, NEVER)
        elif act.kind == "mention":
            whom = (act.object, act.flagged)
        elif act.other is None:
            subject = (act.fact.get("reply_to") or act.fact["target_id"], NEVER)
        else:
            whom = (act.other["member_id"], kind_of(act.other))
            if act.kind == "reply" and starts(act.other):
                subject = (act.other["event_id"], time_of(act.other))
        if whom[0] != who[0]:
            count = -1 if act.fact.get("action") == "remove" else 1
            key = (act.fact["community_id"], minute(act.at), act.kind, *who, *whom, *subject)
            rows[key].append((count, act.at))
    return {
        key: (sum(n for n, _ in found), min(at for _, at in found), max(at for _, at in found))
        for key, found in rows.items()
    }


class Tie(NamedTuple):
    """What one member did towards another."""

    replies: int
    mentions: int
    reactions: int
    occurrences: int
    first_at: datetime
    last_at: datetime
    idle_months: int
    strength: float


def until(at: datetime) -> datetime:
    """End of the minute that contains a moment: what is said about a moment knows that minute and those before."""
    return minute(at) + timedelta(minutes=1)


def utc(community: str) -> tzinfo:
    return UTC


def ties(facts: Collection[Fact], at: datetime, time_of: TimeOf, zone_of: ZoneOf = utc) -> dict[Pair, Tie]:
    end = until(at)
    known = {
        (fact["community_id"], fact["member_id"]) for fact in facts if time_of(fact) < end and kind_of(fact) in HUMANS
    }
    did: dict[Pair, Counter[str]] = defaultdict(Counter)
    times: dict[Pair, list[datetime]] = defaultdict(list)
    present: dict[tuple[str, str, date], dict[str, datetime]] = defaultdict(dict)
    for act in acts(facts, time_of):
        community, member = act.fact["community_id"], act.fact["member_id"]
        if act.at >= end or kind_of(act.fact) not in HUMANS:
            continue
        if act.kind == "attended":
            there = present[community, act.object, act.at.astimezone(zone_of(community)).date()]
            there[member] = min(act.at, there.get(member, act.at))
            continue
        if act.kind == "mention" and (act.flagged or HUMANS[0]) in HUMANS:
            other = act.object
        elif act.other is not None and kind_of(act.other) in HUMANS:
            other = act.other["member_id"]
        else:
            continue
        if other != member and (community, other) in known:
            pair = (community, member, other)
            did[pair][act.kind] += -1 if act.fact.get("action") == "remove" else 1
            times[pair].append(act.at)
    for (community, _, _), there in present.items():
        if len(there) <= CROWD:
            for one, other in permutations(there, 2):
                did[community, one, other]["attended"] += 1
                times[community, one, other].append(max(there[one], there[other]))
    found = {}
    for pair, numbers in did.items():
        reactions = max(0, numbers["reaction"])
        first, last = min(times[pair]), max(times[pair])
        idle = max(0, math.floor((at - last) / timedelta(days=30)))
        worth = 10 * numbers["reply"] + 5 * numbers["mention"] + reactions + 2 * numbers["attended"]
        if worth > 0:
            found[pair] = Tie(
                numbers["reply"],
                numbers["mention"],
                reactions,
                numbers["attended"],
                first,
                last,
                idle,
                worth * 0.9**idle,
            )
    return found


class Reach(NamedTuple):
    """What a member's ties come to."""

    ties: int
    mutual: int
    given: float
    received: float
    reach: float


NOBODY = Reach(0, 0, 0.0, 0.0, 0.0)


def reach(found: dict[Pair, Tie]) -> dict[tuple[str, str], Reach]:
    members = {(community, end) for community, one, other in found for end in (one, other)}
    result = {}
    for community, member in members:
        given = {other: tie for (c, one, other), tie in found.items() if (c, one) == (community, member)}
        received = {one: tie for (c, one, other), tie in found.items() if (c, other) == (community, member)}
        out, into = (math.fsum(tie.strength for tie in side.values()) for side in (given, received))
        result[community, member] = Reach(len(given | received), len(given.keys() & received), out, into, out + into)
    return result


class Network(NamedTuple):
    """One community's ties of the last 90 days."""

    members: int
    pairs: int
    density: float | None
    reciprocity: float | None
    absence_factor: int
    strongest: list[float]
    """Reach of the strongest member, of the two strongest, and so on to all."""


def network(facts: Collection[Fact], at: datetime, time_of: TimeOf, zone_of: ZoneOf = utc) -> dict[str, Network]:
    end, since = until(at), until(at) - timedelta(days=90)
    recent = {pair: tie for pair, tie in ties(facts, at, time_of, zone_of).items() if tie.last_at >= since}
    people: dict[str, set[str]] = defaultdict(set)
    for fact in facts:
        if since <= time_of(fact) < end and fact["type"] in ENGAGING and kind_of(fact) in HUMANS:
            people[fact["community_id"]].add(fact["member_id"])
    for community, one, other in recent:
        people[community] |= {one, other}
    reaches = reach(recent)
    result = {}
    for community, members in people.items():
        directed = {(one, other) for c, one, other in recent if c == community}
        acted = {
            (one, other)
            for (c, one, other), tie in recent.items()
            if c == community and tie.replies + tie.mentions + tie.reactions > 0
        }
        pairs = len({frozenset(pair) for pair in directed})
        possible = len(members) * (len(members) - 1) / 2
        both = sum((other, one) in acted for one, other in acted)
        strongest = sorted((reaches.get((community, member), NOBODY).reach for member in members), reverse=True)
        needed, so_far, total = 0, 0.0, sum(strongest)
        while total and so_far < total / 2 - 1e-9:
            so_far += strongest[needed]
            needed += 1
        result[community] = Network(
            len(members),
            pairs,
            pairs / possible if possible else None,
            both / len(acted) if acted else None,
            needed,
            list(accumulate(strongest)),
        )
    return result


def newcomers(
    facts: Collection[Fact], at: datetime, time_of: TimeOf, zone_of: ZoneOf = utc
) -> dict[tuple[str, str], tuple[datetime, int, bool]]:
    """(community, member) -> first engaging act, others met within 14 days of it, whether the 14 days are over."""
    first: dict[tuple[str, str], datetime] = {}
    for fact in facts:
        moment = time_of(fact)
        if fact["type"] in ENGAGING and kind_of(fact) in HUMANS and moment < until(at):
            key = (fact["community_id"], fact["member_id"])
            first[key] = min(moment, first.get(key, moment))
    found = ties(facts, at, time_of, zone_of)
    result = {}
    for (community, member), began in first.items():
        limit = began + timedelta(days=14)
        met = {
            other if one == member else one
            for (c, one, other), tie in found.items()
            if c == community and member in (one, other) and tie.first_at < limit
        }
        result[community, member] = (began, len(met), limit <= at)
    return result


class Response(NamedTuple):
    """What became of a message that answers no other."""

    member_id: str
    asked_at: datetime
    first_reply_at: datetime | None
    seconds: float | None
    state: str


def responses(facts: Collection[Fact], at: datetime, time_of: TimeOf) -> dict[tuple[str, str], Response]:
    """(community, event id) -> what became of it by a moment."""
    human = [fact for fact in facts if kind_of(fact) in HUMANS and time_of(fact) < until(at)]
    replies: dict[tuple[str, str], list[Fact]] = defaultdict(list)
    for fact in human:
        if fact["type"] == "message" and fact.get("reply_to"):
            replies[fact["community_id"], fact["reply_to"]].append(fact)
    result = {}
    for fact in filter(starts, human):
        key = (fact["community_id"], fact["event_id"])
        asked = time_of(fact)
        answers = [time_of(reply) for reply in replies[key] if reply["member_id"] != fact["member_id"]]
        if answers:
            first = min(answers)
            seconds = max(0.0, (first - asked).total_seconds())
            state = "answered" if seconds <= 86400 else "late"
            result[key] = Response(fact["member_id"], asked, first, seconds, state)
        else:
            state = "unanswered" if at >= asked + timedelta(days=1) else "open"
            result[key] = Response(fact["member_id"], asked, None, None, state)
    return result


class Responses(NamedTuple):
    """Responses of a day or a week."""

    asked: int
    answered: int
    late: int
    unanswered: int
    open: int
    p50_s: float | None
    p90_s: float | None


def summed(found: Iterable[Response]) -> Responses:
    """Percentiles over all that was asked: what has no reply yet took for ever."""
    each = list(found)
    states = Counter(response.state for response in each)
    order = sorted(math.inf if response.seconds is None else response.seconds for response in each)
    p50, p90 = (order[math.floor(len(order) * level)] for level in (0.5, 0.9))
    return Responses(
        len(each),
        *(states[state] for state in ("answered", "late", "unanswered", "open")),
        None if math.isinf(p50) else p50,
        None if math.isinf(p90) else p90,
    )
