"""Streaks told day by day: a walk over the calendar that remembers only the streak it is in.

It imports nothing of the project. Facts are contract dicts, corrected; whoever is given here is counted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import NamedTuple

from oracle import ENGAGED, Event, event_time

DAY = timedelta(days=1)
WEEK = timedelta(days=7)


class Streak(NamedTuple):
    """Days or weeks (their Mondays) in a row; `frozen` of them were missing and forgiven."""

    first: date
    last: date
    kept: int
    frozen: int
    alive: bool


Streaks = dict[tuple[str, str], list[Streak]]
"""(community, member) -> streaks, oldest first."""


@dataclass
class Walk:
    """The streak a member is in, if any, and those that are over."""

    freeze: int
    over: list[Streak]
    first: date | None = None
    last: date = date.min
    kept: int = 0
    missed: int = 0

    def keep(self, day: date, begins: bool) -> None:
        """The day was kept; only a day that was active begins a streak."""
        if self.first is None and begins:
            self.first, self.kept = day, 0
        if self.first is not None:
            self.last, self.kept, self.missed = day, self.kept + 1, 0

    def miss(self) -> None:
        """The day was missing, and it was no holiday."""
        self.missed += 1
        if self.first is not None and self.missed > self.freeze:
            self.end(alive=False)

    def end(self, alive: bool, step: timedelta = DAY) -> None:
        """Write down the streak, if there is one."""
        if self.first is not None:
            frozen = (self.last - self.first) // step + 1 - self.kept
            self.over.append(Streak(self.first, self.last, self.kept, frozen, alive))
        self.first = None


def days_kept(
    facts: Iterable[Event], local: Callable[[Event], datetime], grace_hours: int
) -> dict[tuple[str, str], dict[date, bool]]:
    """Member -> days that are kept, and whether the member was active on the day itself."""
    found: dict[tuple[str, str], dict[date, bool]] = defaultdict(dict)
    for fact in facts:
        if fact["type"] not in ENGAGED:
            continue
        at, days = local(fact), found[fact["community_id"], fact["member_id"]]
        days[at.date()] = True
        if at.hour < grace_hours:
            days.setdefault(at.date() - DAY, False)
    return found


def ritual_streaks(
    attended: Iterable[tuple[str, str, date]], today: date, holidays: Collection[date] = ()
) -> dict[tuple[str, str], list[Streak]]:
    """(ritual, member) -> streaks of occurrences, from (ritual, member, day); nothing of a streak is ever frozen."""
    came: dict[tuple[str, str], set[date]] = defaultdict(set)
    held: dict[str, set[date]] = defaultdict(set)
    for ritual, member, day in attended:
        came[ritual, member].add(day)
        held[ritual].add(day)
    found = {}
    for (ritual, member), days in came.items():
        walk = Walk(0, [])
        for day in sorted(held[ritual]):
            if day in days:
                walk.keep(day, begins=True)
            elif day not in holidays and day < today:
                walk.miss()
        walk.end(alive=True)
        found[ritual, member] = [streak._replace(frozen=0) for streak in walk.over]
    return found


def streaks(
    facts: Iterable[Event],
    today: Mapping[str, date],
    grace_hours: int = 3,
    freeze_days: int = 1,
    holidays: Collection[date] = (),
    local: Callable[[Event], datetime] = event_time,
) -> Streaks:
    """Streaks of days. The day that is going on is not missing yet."""
    found: Streaks = {}
    for member, days in days_kept(facts, local, grace_hours).items():
        walk = Walk(freeze_days, [])
        day = min(days)
        while day <= max(today[member[0]], max(days)):
            if day in days:
                walk.keep(day, begins=days[day])
            elif day not in holidays and day < today[member[0]]:
                walk.miss()
            day += DAY
        walk.end(alive=True)
        found[member] = walk.over
    return found


def week_streaks(
    facts: Iterable[Event],
    today: Mapping[str, date],
    grace_hours: int = 3,
    holidays: Collection[date] = (),
    local: Callable[[Event], datetime] = event_time,
) -> Streaks:
    """Streaks of weeks. A missing week with a holiday in it does not end one."""
    found: Streaks = {}
    for member, days in days_kept(facts, local, grace_hours).items():
        weeks: dict[date, bool] = {}
        for day, active in days.items():
            monday = day - (day.isoweekday() - 1) * DAY
            weeks[monday] = weeks.get(monday, False) or active
        walk = Walk(0, [])
        monday = min(weeks)
        while monday <= max(today[member[0]], max(weeks)):
            if monday in weeks:
                walk.keep(monday, begins=weeks[monday])
            elif monday + WEEK <= today[member[0]] and not any(monday + n * DAY in holidays for n in range(7)):
                walk.missed += 1
                if walk.first is not None:
                    walk.end(alive=False, step=WEEK)
            monday += WEEK
        walk.end(alive=True, step=WEEK)
        found[member] = walk.over
    return found
