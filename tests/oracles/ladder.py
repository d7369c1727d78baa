"""The ladder told day by day: every day of every member is judged anew from the facts, and nothing is computed ahead.

It imports nothing of the project. Facts are contract dicts, corrected; whoever is given here is counted.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from fractions import Fraction
from itertools import accumulate
from typing import NamedTuple

from oracle import CONTRIBUTING, ENGAGED, Event, event_time, family_of

HOSTED = "hosted"
BUILDING = frozenset({"review", "moderation", HOSTED})
DAY = timedelta(days=1)


class Step(NamedTuple):
    """A level and what it asks for within its window: days with an engaged event, contributions, events that build."""

    level: str
    weight: float
    window: int
    active: int = 0
    contributions: int = 0
    built: int = 0
    grace: int = 14


STEPS = (
    Step("visitor", 0, 28),
    Step("participant", 1, 28, active=1),
    Step("regular", 4, 28, active=4),
    Step("contributor", 7, 28, contributions=12),
    Step("co-builder", 10, 84, built=3),
)


class Evidence(NamedTuple):
    """What was counted within a window that ends with a day."""

    present: int
    active: int
    contributions: int
    built: int


class Stay(NamedTuple):
    """A stay on a level; rank 0 is away, `until` None when it goes on."""

    level: str
    rank: int
    since: date
    until: date | None
    from_level: str
    direction: str
    judged: str
    evidence: Evidence


Member = tuple[str, str]
"""Community and member."""


class Life:
    """One member's days, counted so that any window can be asked for."""

    def __init__(self, acts: Sequence[tuple[date, str]], today: date) -> None:
        self.first = min(day for day, _ in acts)
        self.days = [self.first + n * DAY for n in range((today - self.first).days + 1)]
        families: dict[date, Counter[str]] = defaultdict(Counter)
        for day, family in acts:
            families[day][family] += 1
        of_day = [
            Evidence(
                int(bool(families[day])),
                int(any(family in ENGAGED for family in families[day])),
                sum(n for family, n in families[day].items() if family in CONTRIBUTING),
                sum(n for family, n in families[day].items() if family in BUILDING),
            )
            if day in families
            else Evidence(0, 0, 0, 0)
            for day in self.days
        ]
        self.totals = [[0, *accumulate(column)] for column in zip(*of_day, strict=True)]

    def within(self, window: int, day: date) -> Evidence:
        """What happened on the days of the window that ends with `day`."""
        end = (day - self.first).days + 1
        start = max(0, end - window)
        return Evidence(*(total[end] - total[start] for total in self.totals))

    def best(self, steps: Sequence[Step], day: date) -> int:
        """How many levels from the lowest up are met."""
        for rank, step in enumerate(steps):
            seen = self.within(step.window, day)
            enough = (
                seen.active >= step.active and seen.contributions >= step.contributions and seen.built >= step.built
            )
            if not enough or seen.present < 1:
                return rank
        return len(steps)


def climb(life: Life, steps: Sequence[Step]) -> list[Stay]:
    """The stays of one member, oldest first."""
    stays: list[Stay] = []
    rank: int | None = None
    met: list[int] = []

    def move(day: date, to: int) -> None:
        nonlocal rank
        before = rank
        judged = steps[to - 1] if before is None or to > before else steps[to]
        if stays:
            stays[-1] = stays[-1]._replace(until=day - DAY)
        if before is None:
            direction = "in"
        elif to == 0:
            direction = "out"
        elif before == 0:
            direction = "back"
        else:
            direction = "up" if to > before else "down"
        names = ["away", *(step.level for step in steps)]
        came_from = "" if before is None else names[before]
        seen = life.within(judged.window, day)
        stays.append(Stay(names[to], to, day, None, came_from, direction, judged.level, seen))
        rank = to

    for day in life.days:
        met.append(life.best(steps, day))
        if met[-1] > (rank or 0):
            move(day, met[-1])  # at once
        elif rank and day.isoweekday() == 1:
            # On schedule: the highest level that was met on this day or on one of the days of its grace.
            held = [n for n in range(1, len(steps) + 1) if max(met[-1 - steps[n - 1].grace :]) >= n]
            if max(held, default=0) < rank:
                move(day, max(held, default=0))
    return stays


def ladder(
    facts: Iterable[Event],
    today: Mapping[str, date],
    steps: Sequence[Step] = STEPS,
    day_of: Callable[[Event], date] = lambda event: event_time(event).date(),
    hosts: Collection[tuple[str, str]] = (),
) -> dict[Member, list[Stay]]:
    """Member -> stays. `today` is the last day of each community that is judged; it holds no later fact.

    `hosts` are (ritual, member), where facts do not say it by their family: each check-in of the host at the ritual
    contributes, and a day of them is one event that builds.
    """
    acts: dict[Member, list[tuple[date, str]]] = defaultdict(list)
    hosted: set[tuple[Member, date, str]] = set()
    for fact in facts:
        member, day = (fact["community_id"], fact["member_id"]), day_of(fact)
        ritual = fact.get("ritual", "")
        hosting = family_of(fact) == "hosting" or (ritual, member[1]) in hosts
        acts[member].append((day, "hosting" if hosting else fact["type"]))
        if hosting and (member, day, ritual) not in hosted:
            hosted.add((member, day, ritual))
            acts[member].append((day, HOSTED))
    # So long after the last act nothing can change any more.
    silence = (max(step.window for step in steps) + max(step.grace for step in steps) + 7) * DAY
    return {
        member: climb(Life(of_member, min(today[member[0]], max(day for day, _ in of_member) + silence)), steps)
        for member, of_member in acts.items()
    }


def level_on(stays: Sequence[Stay], day: date) -> Stay | None:
    """The stay of a day; None before the first."""
    found = [stay for stay in stays if stay.since <= day and (stay.until is None or stay.until >= day)]
    return found[0] if found else None


Move = tuple[str, date, str, str]
"""Community, Monday of the week, level at the end of the week before (empty: none), level at its end."""


def weeks(ladders: Mapping[Member, Sequence[Stay]], today: Mapping[str, date]) -> Iterator[tuple[str, Move]]:
    """Each member's level at the end of a week and of the one before; complete weeks only, from the first stay on."""
    for (community, member), stays in ladders.items():
        before: Stay | None = None
        sunday = stays[0].since + (7 - stays[0].since.isoweekday()) * DAY
        while sunday < today[community]:
            after = level_on(stays, sunday)
            assert after is not None
            yield member, (community, sunday - 6 * DAY, before.level if before else "", after.level)
            before, sunday = after, sunday + 7 * DAY


def flow(ladders: Mapping[Member, Sequence[Stay]], today: Mapping[str, date]) -> Counter[Move]:
    """Members by the level they ended the week before on and the one they ended it on."""
    moves = Counter(move for _, move in weeks(ladders, today))
    return Counter({move: n for move, n in moves.items() if move[2:] != ("away", "away")})


def gravity(moves: Mapping[Move, int], steps: Sequence[Step] = STEPS) -> dict[tuple[str, date], tuple[int, Fraction]]:
    """(community, week) -> members with a weight, and the mean of their squared weights; weeks without are absent."""
    weights = {step.level: Fraction(step.weight) for step in steps}
    found: dict[tuple[str, date], list[Fraction]] = defaultdict(list)
    for (community, week, _, level), members in moves.items():
        if weights.get(level):
            found[community, week] += [weights[level] ** 2] * members
    return {week: (len(squares), Fraction(sum(squares), len(squares))) for week, squares in found.items()}


def steps_of(
    moves: Mapping[Move, int], steps: Sequence[Step] = STEPS
) -> dict[tuple[str, date, str], tuple[int, int, int, int, int, int, Fraction | None, bool]]:
    """(community, week, level) -> members that began the week on it, those that went up, held it, went down; the first
    two over twelve weeks, their share (None for the highest level and where nobody was), and whether it is the lowest.
    """
    rank = {"": -1, "away": 0, **{step.level: n for n, step in enumerate(steps, start=1)}}
    left: dict[tuple[str, str], list[tuple[date, int, int]]] = defaultdict(list)
    for (community, monday, source, to), n in moves.items():
        left[community, source].append((monday, rank[to] - rank[source], n))
    found = {}
    for community, week in {move[:2] for move in moves}:
        shares = {}
        for level in [step.level for step in steps]:
            of_level = {
                (monday, by): n
                for monday, by, n in left[community, level]
                if timedelta(0) <= week - monday < 12 * 7 * DAY
            }
            now = [
                sum(n for (monday, by), n in of_level.items() if monday == week and sign(by) == way)
                for way in (1, 0, -1)
            ]
            everybody, up = sum(of_level.values()), sum(n for (_, by), n in of_level.items() if by > 0)
            share = None if level == steps[-1].level or not everybody else Fraction(up, everybody)
            shares[level] = (sum(now), now[0], now[1], now[2], everybody, up, share)
        lowest = min((share for *_, share in shares.values() if share is not None), default=None)
        for level, numbers in shares.items():
            found[community, week, level] = (*numbers, numbers[-1] is not None and numbers[-1] == lowest)
    return found


def sign(number: int) -> int:
    """1, 0 or -1."""
    return (number > 0) - (number < 0)


def dwell(
    ladders: Mapping[Member, Sequence[Stay]], today: Mapping[str, date]
) -> dict[tuple[str, str], tuple[int, int, int, int | None]]:
    """(community, level) -> stays, those that ended, those that ended upwards, and the product-limit median in days.

    The median is the first length at which at most half of the stays still last (Kaplan and Meier 1958).
    """
    lengths: dict[tuple[str, str], list[tuple[int, bool, bool]]] = defaultdict(list)
    for (community, _), stays in ladders.items():
        for stay, later in zip(stays, [*stays[1:], None], strict=True):
            if stay.rank:
                end = stay.until or today[community]
                up = later is not None and later.rank > stay.rank
                lengths[community, stay.level].append(((end - stay.since).days + 1, later is not None, up))
    found = {}
    for key, of_level in lengths.items():
        lasting, median = Fraction(1), None
        for length in sorted({days for days, ended, _ in of_level if ended}):
            at_risk = sum(days >= length for days, _, _ in of_level)
            lasting *= 1 - Fraction(sum(ended and days == length for days, ended, _ in of_level), at_risk)
            if lasting <= Fraction(1, 2):
                median = length
                break
        found[key] = (
            len(of_level),
            sum(ended for _, ended, _ in of_level),
            sum(up for _, _, up in of_level),
            median,
        )
    return found
