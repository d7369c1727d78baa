"""Presence, active members, lifecycle, retention and the rest of connection, by loops over the corrected facts.

Slow on purpose: every day asks every member anew, where the views add up changes. Facts are contract dicts of one
community; bots and the like must have been left out. A day is the date of the local time, UTC unless `local` says more.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from itertools import pairwise
from math import exp, log
from statistics import fmean, pstdev
from typing import Any, NamedTuple

from oracle import family_of

Fact = dict[str, Any]

TAKING_PART = {"message", "reaction", "check_in", "order", "review", "hosting"}
GIVING = {"message", "review", "hosting"}

DAY = timedelta(days=1)
WEEK = timedelta(days=7)


class Presence(NamedTuple):
    """One day."""

    present: int
    engaged: int
    contributing: int
    events: int


class Active(NamedTuple):
    """Members active on the day, in its 7 and in its 28 days."""

    dau: int
    wau: int
    mau: int


class Lifecycle(NamedTuple):
    """Members of one day or week; dormant is negative."""

    active: int
    new: int
    returning: int
    resurrecting: int
    dormant: int


class Kept(NamedTuple):
    """One week of one cohort."""

    members: int
    retained: int
    retained_or_after: int


class Absence(NamedTuple):
    """Who contributed, and how few make half of it."""

    absence_factor: int
    contributors: int
    contributions: int
    largest_share: float | None


class Breadth(NamedTuple):
    """How diverse the engaged are."""

    breadth: float
    modal_share: float
    segments: int
    members: int


class AtRisk(NamedTuple):
    """Why a member is on the list."""

    member_id: str
    messages: int
    active_days: int
    engaged_events: int
    last_at: datetime
    silent_days: int
    last_platform: str


class Bursts(NamedTuple):
    """Times between events, in seconds; the deviation from two of them on."""

    gaps: int
    mean_gap_s: float | None
    deviation_s: float | None
    burstiness: float | None


def instant(fact: Fact) -> datetime:
    """When a fact happened, UTC, cut off to the millisecond."""
    at = datetime.fromisoformat(fact["occurred_at"]).astimezone(UTC)
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def monday(day: date) -> date:
    """First day of its week."""
    return day - timedelta(days=day.isoweekday() - 1)


@dataclass(frozen=True)
class Connection:
    """The numbers of one community; `today` is its local date at the watermark."""

    facts: list[Fact]
    today: date
    time_of: Callable[[Fact], datetime] = instant
    local: Callable[[datetime], datetime] = lambda at: at
    since: date | None = None
    """First day of its life, when it says so."""

    def day_of(self, fact: Fact) -> date:
        """Local date."""
        return self.date_of(self.time_of(fact))

    def date_of(self, moment: datetime) -> date:
        """Local date of a moment."""
        return self.local(moment).date()

    @cached_property
    def dated(self) -> list[tuple[date, Fact]]:
        """Each fact with its local date."""
        return [(self.day_of(fact), fact) for fact in self.facts]

    @cached_property
    def of_member(self) -> dict[str, list[Fact]]:
        """Facts of each member."""
        found: dict[str, list[Fact]] = defaultdict(list)
        for fact in self.facts:
            found[fact["member_id"]].append(fact)
        return found

    def days(self, since: date | None = None) -> list[date]:
        """Every day from the first on which anybody was there to today, or the last such day if that is later."""
        seen = [day for day, _ in self.dated] + [day for day in [since] if day and day <= self.today]
        if not seen:
            return []
        first, last = min(seen), max(max(seen), self.today)
        return [first + n * DAY for n in range((last - first).days + 1)]

    def weeks(self) -> list[date]:
        """The weeks of those days."""
        return sorted({monday(day) for day in self.days()})

    def all_weeks(self, first: date) -> list[date]:
        """Mondays from one on, to the week that is going on today."""
        return [first + n * WEEK for n in range((self.today - first).days // 7 + 1)]

    def who(self, families: set[str] | None) -> dict[date, set[str]]:
        """Day -> members with an event of some families; of any, when None."""
        found: dict[date, set[str]] = defaultdict(set)
        for day, fact in self.dated:
            if families is None or family_of(fact) in families:
                found[day].add(fact["member_id"])
        return found

    def presence(self) -> dict[date, Presence]:
        """Day -> nested members, and events; from the first day of its life on."""
        there, engaged, giving = self.who(None), self.who(TAKING_PART), self.who(GIVING)
        events = Counter(day for day, _ in self.dated)
        return {
            day: Presence(
                len(there.get(day, ())), len(engaged.get(day, ())), len(giving.get(day, ())), events.get(day, 0)
            )
            for day in self.days(self.since)
        }

    def active(self) -> dict[date, Active]:
        """Day -> distinct engaged members of 1, 7 and 28 days."""
        engaged = self.who(TAKING_PART)

        def of(day: date, length: int) -> int:
            return len(set().union(*(engaged.get(day - n * DAY, set()) for n in range(length))))

        return {day: Active(of(day, 1), of(day, 7), of(day, 28)) for day in self.days()}

    def lifecycle_days(self) -> dict[date, Lifecycle]:
        """Day -> lifecycle."""
        return lifecycle(self.who(TAKING_PART), self.days())

    def lifecycle_weeks(self) -> dict[date, Lifecycle]:
        """Monday -> lifecycle."""
        weeks: dict[date, set[str]] = defaultdict(set)
        for day, members in self.who(TAKING_PART).items():
            weeks[monday(day)] |= members
        return lifecycle(weeks, self.weeks())

    def retention(self) -> dict[tuple[str, date, int], Kept]:
        """(cohort by, its Monday, week) -> how many were kept; complete weeks only."""
        found = {}
        for name, entering, staying in (("join", None, TAKING_PART), ("contribution", GIVING, GIVING)):
            entered: dict[str, date] = {}
            for day, members in sorted(self.who(entering).items()):
                for member in members:
                    entered.setdefault(member, monday(day))
            back: dict[str, set[date]] = defaultdict(set)
            for day, members in self.who(staying).items():
                for member in members:
                    back[member].add(monday(day))
            for cohort in set(entered.values()):
                members = {member for member, week in entered.items() if week == cohort}
                over = [week for week in self.all_weeks(cohort) if week + WEEK <= self.today]
                last = {member: max(back[member].intersection(over), default=date.min) for member in members}
                for number, week in enumerate(over):
                    here = {member for member in members if week in back[member]}
                    later = {member for member in members if last[member] >= week}
                    found[name, cohort, number] = Kept(len(members), len(here), len(later))
        return found

    def active_days(self, today: date) -> dict[tuple[int, int], int]:
        """(length, active days) -> members; every number of days from 1 on, when anybody was active in 28 days."""
        engaged = self.who(TAKING_PART)
        found: dict[tuple[int, int], int] = {}
        for length in (7, 28):
            days = Counter(member for n in range(length) for member in engaged.get(today - n * DAY, ()))
            many = Counter(days.values())
            found |= {(length, n): many[n] for n in range(1, length + 1)}
        return found if any(found.values()) else {}

    def contributions(self, first: date, last: date) -> Absence:
        """Of the contributions from one day to another."""
        who = Counter(
            fact["member_id"] for day, fact in self.dated if first <= day <= last and family_of(fact) in GIVING
        )
        total = sum(who.values())
        return Absence(absence_factor(who), len(who), total, max(who.values()) / total if total else None)

    def absence(self, today: date, length: int) -> Absence:
        """Of the last days."""
        return self.contributions(today - (length - 1) * DAY, today)

    def absence_months(self) -> dict[date, Absence]:
        """First day of the month -> of the month."""
        months = {day.replace(day=1) for day in self.days()}
        return {month: self.contributions(month, (month + 31 * DAY).replace(day=1) - DAY) for month in months}

    def at_risk(self, today: date) -> list[AtRisk]:
        """Twenty messages or more in 90 days, then nothing on 30: most messages first."""
        found = []
        for member, facts in self.of_member.items():
            own = [(fact, (today - self.day_of(fact)).days) for fact in facts if family_of(fact) in TAKING_PART]
            before = [(fact, age) for fact, age in own if 0 <= age < 120]
            messages = sum(fact["type"] == "message" for fact, _ in before)
            if messages < 20 or any(age < 30 for _, age in before):
                continue
            last = max(self.time_of(fact) for fact, _ in before)
            found.append(
                AtRisk(
                    member,
                    messages,
                    len({age for _, age in before}),
                    len(before),
                    last,
                    min(age for _, age in before),
                    max(fact["platform"] for fact, _ in before if self.time_of(fact) == last),
                )
            )
        return sorted(found, key=lambda one: (-one.messages, -one.last_at.timestamp(), one.member_id))

    def segments(self, at: datetime, length: int) -> Counter[tuple[str, str, str]]:
        """(role, stage, platform) -> members engaged in some days, the last of which contains a moment."""
        today = self.date_of(at)
        busy: dict[str, Counter[str]] = defaultdict(Counter)
        for day, fact in self.dated:
            if family_of(fact) in TAKING_PART and 0 <= (today - day).days < length:
                busy[fact["member_id"]][fact["platform"]] += 1

        def said(member: str, what: str) -> str:
            told = [
                (self.time_of(fact), fact[what])
                for fact in self.of_member[member]
                if fact["type"] == "membership"
                if fact["action"] != "invite" and fact.get(what) and self.time_of(fact) <= at
            ]
            return max(told, default=(at, ""))[1]

        return Counter(
            (said(member, "role"), said(member, "stage"), max(platforms, key=lambda name: (platforms[name], name)))
            for member, platforms in busy.items()
        )

    def breadth(self, at: datetime, length: int) -> Breadth | None:
        """Of those segments; None when nobody was engaged."""
        parts = self.segments(at, length)
        members = sum(parts.values())
        if not members:
            return None
        return Breadth(effective_number(parts.values()), max(parts.values()) / members, len(parts), members)

    def burstiness(self, at: datetime, length: timedelta, member: str = "") -> Bursts | None:
        """Of the times between engaged events of (at - length, at], of one member or all; None without any event."""
        times = sorted(
            self.time_of(fact)
            for fact in (self.of_member[member] if member else self.facts)
            if family_of(fact) in TAKING_PART and at - length < self.time_of(fact) <= at
        )
        gaps = [(after - before).total_seconds() for before, after in pairwise(times)]
        if not gaps:
            return Bursts(0, None, None, None) if times else None
        if len(gaps) < 2:
            return Bursts(1, gaps[0], None, None)
        mean, deviation = fmean(gaps), pstdev(gaps)
        return Bursts(len(gaps), mean, deviation, (deviation - mean) / (deviation + mean) if any(gaps) else None)


def lifecycle(active: dict[date, set[str]], grid: Iterable[date]) -> dict[date, Lifecycle]:
    """Bucket -> lifecycle, from who was active when; the grid has no holes."""
    found, before, known = {}, set[str](), set[str]()
    for at in grid:
        now = active.get(at, set())
        found[at] = Lifecycle(
            len(now), len(now - known), len(now & before), len((now & known) - before), -len(before - now)
        )
        before, known = now, known | now
    return found


def absence_factor(contributions: Counter[str]) -> int:
    """Fewest members who have half of it between them; 0 when there is none."""
    left = sum(contributions.values()) / 2
    count = 0
    for _, number in contributions.most_common():
        if left <= 0:
            break
        left -= number
        count += 1
    return count


def effective_number(counts: Iterable[int]) -> float:
    """exp of the Shannon entropy: how many equally large segments would be as diverse (Hill number of order 1)."""
    parts = [count for count in counts if count]
    total = sum(parts)
    return exp(-sum(part / total * log(part / total) for part in parts))
