"""Rituals in plain Python: what was inferred at the end of each month, from corrected facts.

Shares no code with `streams`. Every slot of the clock and the calendar is walked date by date, and what its community's
profile leads one to expect is worked out from the other dates directly.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import cache
from typing import Any, NamedTuple

from oracle import ENGAGED, bucket, event_time, local_hour

Event = dict[str, Any]
Attendance = dict[tuple[date, int], set[str]]
"""(local date, local hour) -> who was there."""

MONTHS = {"day": 2, "week": 6, "month": 12, "nth": 12}
HOURS_LOOKED_AT = {"day": 24, "week": 168, "month": 28 * 24, "nth": 5 * 7 * 24}
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
ORDINALS = ("first", "second", "third", "fourth", "fifth")


class Inferred(NamedTuple):
    """One ritual of one month."""

    from_hour: int
    hours: int
    dates: int
    held: int
    attendance: float
    expected: float
    chance: float


def attendance(facts: Iterable[Event], zone: tzinfo = UTC) -> Attendance:
    """Who wrote or checked in, by local hour; humans only."""
    there: Attendance = defaultdict(set)
    for fact in facts:
        if fact["type"] in ("message", "check_in") and fact.get("actor_kind", "human") == "human":
            at = local_hour(fact, zone)
            there[at.date(), at.hour].add(fact["member_id"])
    return there


def month_after(day: date, count: int = 1) -> date:
    """First day of the month `count` months after that of `day`."""
    number = day.year * 12 + day.month - 1 + count
    return date(number // 12, number % 12 + 1, 1)


def slot_of(day: date, cadence: str) -> Any:
    """Which repeating date of a cadence a day is."""
    if cadence == "day":
        return "daily"
    if cadence == "week":
        return day.weekday()
    return day.day if cadence == "month" else ((day.day + 6) // 7, day.weekday())


def inferred(there: Attendance, until: date | None = None) -> dict[tuple[date, str], Inferred]:
    """(month, ritual) -> what the months up to its end let infer; the last window ends after the day `until`."""
    if not there:
        return {}
    heads = Counter({hour: len(members) for hour, members in there.items()})
    first, last = min(day for day, _ in there), max(day for day, _ in there)
    last = max(last, until or last)
    found: dict[tuple[date, str], Inferred] = {}
    month = first.replace(day=1)
    while month <= last:
        end = min(month_after(month), last + timedelta(days=1))
        for cadence, span in MONTHS.items():
            start = max(first, month_after(month, 1 - span))
            days = [start + timedelta(days=n) for n in range((end - start).days)]
            for name, ritual in of_window(heads, days, cadence):
                found[month, name] = ritual
        month = month_after(month)
    return found


def of_window(heads: Counter[tuple[date, int]], days: list[date], cadence: str) -> Iterator[tuple[str, Inferred]]:
    """Rituals of one cadence in the consecutive `days`, by name."""
    gatherings = {(day, hour) for day in days for hour in range(24) if heads[day, hour] >= 3}
    if len(gatherings) < 4:
        return
    by_hour = [sum(heads[day, hour] for day in days) for hour in range(24)]
    everything = sum(by_hour)
    groups: dict[Any, list[date]] = defaultdict(list)
    for day in days:
        groups[slot_of(day, cadence)].append(day)
    for slot, dates in groups.items():
        if cadence == "month" and slot > 28:
            continue
        passed: dict[int, tuple[int, int, int, float, float]] = {}
        for hour in range(24):
            if sum((day, hour) in gatherings for day in dates) < 4:
                continue
            counts = [heads[day, hour] for day in dates]
            usual = expectation(heads, days, dates, hour, cadence, by_hour, everything)
            usual = max(usual, 1 / len(dates))
            needed = max(3, round(3 * usual, 6))
            held = sum(count >= needed for count in counts)
            share, luck = held / len(dates), usual / needed
            if held < 4 or share < 0.5 or share <= luck:
                continue
            tail = len(dates) * divergence(share, luck)
            chance = min(1.0, HOURS_LOOKED_AT[cadence] * math.exp(-tail))
            if chance <= 0.01:
                passed[hour] = (sum(counts), held, len(dates), usual, chance)
        yield from together(passed, name_of(slot, cadence))


def together(passed: dict[int, tuple[int, int, int, float, float]], name: str) -> Iterator[tuple[str, Inferred]]:
    """Neighbouring hours as one ritual, named by the hour most people came to."""
    while passed:
        start = hour = min(passed)
        run = [hour]
        while hour + 1 in passed:
            hour += 1
            run.append(hour)
        peak = sorted(run, key=lambda each: (-passed[each][0], each))[0]
        total, held, dates, usual, chance = passed[peak]
        yield f"{name} {peak:02}:00", Inferred(start, len(run), dates, held, total / dates, usual, chance)
        passed = {each: value for each, value in passed.items() if each not in run}


def expectation(
    heads: Counter[tuple[date, int]],
    days: list[date],
    dates: list[date],
    hour: int,
    cadence: str,
    by_hour: list[int],
    everything: int,
) -> float:
    """Attendance that the community's other hours lead one to expect on one date of the slot."""
    if cadence == "day":
        return sum(by_hour[(hour + step) % 24] for step in (-3, -2, 2, 3)) / 4 / len(days)
    mine = set(dates)
    if cadence == "week":
        same_day = sum(heads[day, other] for day in dates for other in range(24) if other != hour)
        same_hour = sum(heads[day, hour] for day in days if day not in mine)
        neither = everything - same_day - same_hour - sum(heads[day, hour] for day in dates)
        if not same_hour:
            return 0.0
        as_other_days = same_hour / (len(days) - len(dates))
        if not same_day:
            return as_other_days
        return max(as_other_days, same_day * same_hour / neither / len(dates)) if neither else math.inf
    others = [day for day in days if day not in mine]
    if cadence == "nth":
        others = [day for day in others if day.weekday() == dates[0].weekday()]
    return sum(heads[day, hour] for day in others) / len(others) if others else 0.0


def divergence(share: float, luck: float) -> float:
    """Relative entropy of two coins."""
    parts = [(share, luck), (1 - share, 1 - luck)]
    return sum(p * math.log(p / q) for p, q in parts if p)


class Occurrence(NamedTuple):
    """One date of one ritual; `regulars` and `habit_rate` from the fourth on that anybody came to."""

    attendees: int
    eligible: int
    regulars: int | None
    habit_rate: float | None
    host_id: str


class Declared(NamedTuple):
    """What a community declares of a ritual: on which of its days it is due, who hosts it, and in which conversation
    messages from one minute of the day to another count as taking part.
    """

    due: Callable[[date], bool]
    host_id: str
    conversation_id: str = ""
    minutes: range = range(0)

    def met(self, fact: Event, at: datetime) -> bool:
        """Whether a message at a local time takes part."""
        if not self.conversation_id or fact.get("conversation_id") != self.conversation_id:
            return False
        return self.due(at.date()) and at.hour * 60 + at.minute in self.minutes


Roll = dict[tuple[str, str], dict[date, dict[str, datetime]]]
"""(source, ritual) -> local day -> member -> first arrival, UTC."""


def roll(
    facts: Iterable[Event],
    declared: Mapping[str, Declared],
    rituals: Iterable[tuple[date, str, Inferred]],
    zone: tzinfo = UTC,
) -> Roll:
    """Who came to what check-ins name or is declared, and to what was inferred of the month; humans only."""
    arrivals: Roll = defaultdict(lambda: defaultdict(dict))
    of_month: dict[date, list[tuple[str, Inferred]]] = defaultdict(list)
    for month, name, ritual in rituals:
        of_month[month].append((name, ritual))

    def came(source: str, name: str, day: date, fact: Event) -> None:
        there, at = arrivals[source, name][day], event_time(fact)
        there[fact["member_id"]] = min(at, there.get(fact["member_id"], at))

    # Who checks in twice in one hour came once: on the day of the first, should midnight be in between.
    first: dict[tuple[str, str, datetime], Event] = {}
    for fact in sorted(facts, key=event_time):
        if fact["type"] not in ("message", "check_in") or fact.get("actor_kind", "human") != "human":
            continue
        at = event_time(fact).astimezone(zone)
        for name, said in declared.items():
            if fact["type"] == "message" and said.met(fact, at):
                came("named", name, at.date(), fact)
        if fact.get("ritual"):
            first.setdefault((fact["ritual"], fact["member_id"], bucket(event_time(fact), "hour")), fact)
        hour = local_hour(fact, zone)
        for name, ritual in of_month[hour.date().replace(day=1)]:
            if ritual.from_hour <= hour.hour < ritual.from_hour + ritual.hours and due_by_name(name, hour.date()):
                came("inferred", name, hour.date(), fact)
    for (name, _, _), fact in first.items():
        came("named", name, event_time(fact).astimezone(zone).date(), fact)
    return arrivals


def occurrences(
    facts: list[Event],
    declared: Mapping[str, Declared],
    rituals: Mapping[tuple[date, str], Inferred],
    today: date,
    zone: tzinfo = UTC,
) -> dict[tuple[str, str, date], Occurrence]:
    """(source, ritual, local day) -> who came, of all facts of one community; `rituals` were inferred of it."""
    engaged: dict[date, set[str]] = defaultdict(set)
    for fact in facts:
        if fact["type"] in ENGAGED and fact.get("actor_kind", "human") == "human":
            engaged[event_time(fact).astimezone(zone).date()].add(fact["member_id"])
    found: dict[tuple[str, str, date], Occurrence] = {}

    @cache
    def eligible(day: date) -> int:
        return len(set().union(*(engaged.get(day - timedelta(days=n), set()) for n in range(28))))

    for (source, name), days in roll(facts, declared, [(*key, each) for key, each in rituals.items()], zone).items():
        said = declared.get(name) if source == "named" else None
        latest: list[set[str]] = []
        for number, day in enumerate(sorted(days), start=1):
            latest = [*latest, set(days[day])][-4:]
            everybody = set().union(*latest)
            often = [member for member in everybody if sum(member in group for group in latest) >= 3]
            opener = min(days[day], key=lambda member: (days[day][member], member))
            found["declared" if said else source, name, day] = Occurrence(
                len(days[day]),
                eligible(day),
                len(often) if number >= 4 else None,
                len(often) / len(everybody) if number >= 4 else None,
                said.host_id if said and said.host_id in days[day] else opener,
            )
        for day in (min(days) + timedelta(days=n) for n in range((today - min(days)).days)):
            missed = said.due(day) if said else source == "inferred" and (day.replace(day=1), name) in rituals
            if missed and day not in days and (said or due_by_name(name, day)):
                found["declared" if said else source, name, day] = Occurrence(0, eligible(day), None, None, "")
    return found


class Hosts(NamedTuple):
    """On whom a ritual hangs, over its last 26 occurrences that anybody came to."""

    since: date
    until: date
    occurrences: int
    hosts: int
    main_host: str
    hosted_by_main: int
    host_dependence: float
    absence_factor: int
    attendees_with_main: float
    attendees_without_main: float | None


def hosts(found: Mapping[tuple[str, str, date], Occurrence]) -> dict[tuple[str, str], Hosts]:
    """(source, ritual) -> its hosts."""
    result = {}
    for ritual in {key[:2] for key in found}:
        held = {day: each for (*name, day), each in found.items() if tuple(name) == ritual and each.attendees}
        if not held:
            continue
        days = sorted(held)[-26:]
        heads: dict[str, list[int]] = defaultdict(list)
        for day in days:
            heads[held[day].host_id].append(held[day].attendees)
        ranked = sorted(heads, key=lambda host: (-len(heads[host]), host))
        main, others = heads[ranked[0]], [count for host in ranked[1:] for count in heads[host]]
        needed = next(
            n for n in range(1, len(ranked) + 1) if 2 * sum(len(heads[host]) for host in ranked[:n]) >= len(days)
        )
        result[ritual] = Hosts(
            days[0],
            days[-1],
            len(days),
            len(heads),
            ranked[0],
            len(main),
            len(main) / len(days),
            needed,
            sum(main) / len(main),
            sum(others) / len(others) if others else None,
        )
    return result


def due_by_name(name: str, day: date) -> bool:
    """Whether an inferred ritual is due on a day, told by its name."""
    slot = name.rpartition(" ")[0]
    cadences = ("day", "week", "month", "nth")
    return any(slot == ("daily" if each == "day" else name_of(slot_of(day, each), each)) for each in cadences)


def name_of(slot: Any, cadence: str) -> str:
    if cadence == "day":
        return "daily"
    if cadence == "week":
        return WEEKDAYS[slot]
    return f"day {slot}" if cadence == "month" else f"{ORDINALS[slot[0] - 1]} {WEEKDAYS[slot[1]]}"
