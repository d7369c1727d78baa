"""What every view of the catalog says, in plain Python: a table of views, and the community they are asked about.

The table names each view with its key columns, the columns that are compared, and the oracle that gives its rows. A new
view is compared on everything that tests compare views on once it has a line here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from functools import cached_property
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from oracle import CONTRIBUTING, ENGAGED, Event, Grain, Oracle, event_time, family_of
from oracles import belonging, ladder, rituals, signs, streaks, ties
from oracles.connection import Connection, monday
from oracles.rituals import ORDINALS, WEEKDAYS

Rows = Mapping[Any, Iterable[Any]]
"""Key columns (one without a tuple) -> the other columns."""

WINDOWS = {
    "5m": timedelta(minutes=5),
    "1h": timedelta(hours=1),
    "24h": timedelta(days=1),
    "7d": timedelta(days=7),
    "28d": timedelta(days=28),
}


class Said:
    """The settings of a community, read from what a settings file holds; nothing of the project reads them here."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.zone = ZoneInfo(settings.get("zone", "UTC"))
        self.since = day_of(settings.get("since"))
        values = settings.get("values", {})
        self.lexicon: signs.Lexicon = {name: value["terms"] for name, value in values.items()}
        self.acts: belonging.Acts = {
            name: [(kind[:-1], ref) for kind, refs in value.get("acts", {}).items() for ref in refs]
            for name, value in values.items()
        }
        self.rituals = {
            name: rituals.Declared(
                due_on(ritual), ritual.get("host_id", ""), ritual.get("conversation_id", ""), minutes_of(ritual)
            )
            for name, ritual in settings.get("rituals", {}).items()
        }
        self.steps = ladder.STEPS
        if "ladder" in settings:
            self.steps = tuple(
                ladder.Step(
                    level["level"],
                    level["weight"],
                    level.get("window_days", 1),
                    level.get("min_active_days", 0),
                    level.get("min_contributions", 0),
                    level.get("min_hosted_or_cocreated", 0),
                    level.get("grace_days", 14),
                )
                for level in settings["ladder"]
            )
        forgiven = settings.get("streaks", {})
        self.grace_hours, self.freeze_days = forgiven.get("grace_hours", 3), forgiven.get("freeze_days", 1)
        self.holidays = {day for day in map(day_of, settings.get("holidays", {})) if day}


def day_of(said: date | str | None) -> date | None:
    """A date, which YAML may have read already."""
    return date.fromisoformat(said) if isinstance(said, str) else said


def due_on(ritual: Mapping[str, Any]) -> Callable[[date], bool]:
    """On which days a ritual is due."""
    if ritual["every"] == "week":
        return lambda day: WEEKDAYS[day.weekday()].lower() in ritual["weekdays"]
    return lambda day: ritual["every"] == "day" or ritual["month_day"] == day.day


def minutes_of(ritual: Mapping[str, Any]) -> range:
    """The minutes of the day in which it is held; those after midnight are of no day on which it is due."""
    hour, minute = map(int, ritual["at"].split(":"))
    return range(60 * hour + minute, 60 * hour + minute + ritual.get("duration_minutes", 60))


@dataclass(frozen=True)
class Place:
    """One community at a moment: everything that is a fact of it, corrected, and what it set for itself."""

    community: str
    everybody: list[Event]
    said: Said
    watermark: datetime
    at: datetime
    """The moment it is asked about: the watermark, or any other in views of a moment."""

    def seen_at(self, moment: datetime) -> Place:
        """The same, asked about at another moment."""
        return replace(self, at=moment)

    def come_to(self, watermark: datetime) -> Place:
        """The same facts, when the pipeline has come to another watermark, and asked about then."""
        return replace(self, watermark=watermark, at=watermark)

    @cached_property
    def facts(self) -> list[Event]:
        """Those of the actors who count."""
        return [fact for fact in self.everybody if fact.get("actor_kind", "human") == "human"]

    @cached_property
    def today(self) -> date:
        return self.at.astimezone(self.said.zone).date()

    def local(self, at: datetime) -> datetime:
        return at.astimezone(self.said.zone)

    def zone_of(self, community: str) -> ZoneInfo:
        return self.said.zone

    @cached_property
    def last_day(self) -> dict[str, date]:
        """The last day that is known of: the one that is going on, or a later one that anybody acted on."""
        today = self.local(self.watermark).date()
        return {self.community: max([today, *(day for day, _ in self.connection.dated)])}

    @cached_property
    def oracle(self) -> Oracle:
        return Oracle({(self.community, fact["event_id"]): fact for fact in self.everybody})

    @cached_property
    def connection(self) -> Connection:
        return Connection(self.facts, self.today, event_time, self.local, self.said.since)

    @cached_property
    def ties(self) -> dict[ties.Pair, ties.Tie]:
        return ties.ties(self.everybody, self.at, event_time, self.zone_of)

    @cached_property
    def responses(self) -> dict[tuple[str, str], ties.Response]:
        return ties.responses(self.everybody, self.at, event_time)

    @cached_property
    def newcomers(self) -> dict[str, tuple[datetime, int, bool]]:
        found = ties.newcomers(self.everybody, self.at, event_time, self.zone_of)
        return {member: numbers for (_, member), numbers in found.items()}

    @cached_property
    def ladder(self) -> dict[ladder.Member, list[ladder.Stay]]:
        def local_day(fact: Event) -> date:
            return self.local(event_time(fact)).date()

        return ladder.ladder(self.facts, self.last_day, self.said.steps, local_day)

    @cached_property
    def weeks(self) -> list[tuple[str, ladder.Move]]:
        return list(ladder.weeks(self.ladder, self.last_day))

    @cached_property
    def flow(self) -> Counter[ladder.Move]:
        return ladder.flow(self.ladder, self.last_day)

    def rank(self, level: str) -> int:
        return {"": -1, "away": 0, **{step.level: n for n, step in enumerate(self.said.steps, start=1)}}[level]

    @cached_property
    def inferred(self) -> dict[tuple[date, str], rituals.Inferred]:
        return rituals.inferred(rituals.attendance(self.facts, self.said.zone), self.today)

    @cached_property
    def roll(self) -> rituals.Roll:
        inferred = [(*key, each) for key, each in self.inferred.items()]
        return rituals.roll(self.facts, self.said.rituals, inferred, self.said.zone)

    @cached_property
    def occurrences(self) -> dict[tuple[str, str, date], rituals.Occurrence]:
        return rituals.occurrences(self.facts, self.said.rituals, self.inferred, self.today, self.said.zone)

    @cached_property
    def values(self) -> dict[tuple[date, str], belonging.Shared]:
        return belonging.shared_values(self.facts, self.said.lexicon, self.said.acts, self.said.zone)

    @cached_property
    def gains(self) -> dict[date, belonging.Gains]:
        answered = {message for (_, message), each in self.responses.items() if each.state == "answered"}
        return belonging.gains(self.facts, answered, self.said.zone)

    @cached_property
    def components(self) -> dict[tuple[date, str], belonging.Component]:
        return belonging.components(self.facts, self.occurrences, self.gains, self.values, self.today, self.said.zone)


def activity(grain: Grain) -> Callable[[Place], Rows]:
    """Events and nested members of each bucket."""

    def rows(place: Place) -> Rows:
        events: Counter[datetime] = Counter()
        members: dict[datetime, tuple[set[str], set[str], set[str]]] = {}
        for key, numbers in place.oracle.activity(grain).items():
            if key.actor_kind == "human":
                events[key.start] += numbers.events
                groups = members.setdefault(key.start, (set(), set(), set()))
                for group, families in zip(groups, (None, ENGAGED, CONTRIBUTING), strict=True):
                    if families is None or key.family in families:
                        group |= numbers.members
        return {start: (events[start], *map(len, groups)) for start, groups in members.items()}

    return rows


def activity_by_segment(grain: Grain) -> Callable[[Place], Rows]:
    return lambda place: {
        key[1:]: (numbers.events, len(numbers.members)) for key, numbers in place.oracle.activity(grain).items()
    }


def rolling(place: Place) -> Rows:
    found = {name: place.oracle.rolling(place.at, window) for name, window in WINDOWS.items()}
    return {name: numbers[place.community] for name, numbers in found.items() if numbers}


def rolling_by_segment(place: Place) -> Rows:
    segments: dict[tuple[str, str], dict[tuple[str, str], Event]] = {}
    for key, fact in place.oracle.facts.items():
        segments.setdefault((family_of(fact), fact["platform"]), {})[key] = fact
    return {
        (name, *segment): numbers
        for segment, facts in segments.items()
        for name, window in WINDOWS.items()
        for numbers in Oracle(facts).rolling(place.at, window).values()
    }


def active_members(place: Place) -> Rows:
    return {
        day: (*active, active.dau / active.mau if active.mau else None)
        for day, active in place.connection.active().items()
    }


def retention(place: Place) -> Rows:
    return {
        key: (*kept, kept.retained / kept.members, kept.retained_or_after / kept.members)
        for key, kept in place.connection.retention().items()
    }


def active_days(place: Place) -> Rows:
    return {key: (members,) for key, members in place.connection.active_days(place.today).items()}


def absence_factor(place: Place) -> Rows:
    found = place.connection.absence(place.today, 90)
    return {90: found} if found.contributors else {}


def breadth(place: Place) -> Rows:
    found = place.connection.breadth(place.at, 28)
    return {28: found} if found else {}


def engaged_by_segment(place: Place) -> Rows:
    return {(*segment, 28): (members,) for segment, members in place.connection.segments(place.at, 28).items()}


def burstiness(place: Place) -> Rows:
    found = place.connection.burstiness(place.at, timedelta(days=28))
    return {28: found} if found else {}


def member_burstiness(place: Place) -> Rows:
    each = {
        member: place.connection.burstiness(place.at, timedelta(days=28), member)
        for member in place.connection.of_member
    }
    return {(member, 28): found for member, found in each.items() if found}


def members_at_risk(place: Place) -> Rows:
    return dict(enumerate(place.connection.at_risk(place.today), start=1))


def tie_strength(place: Place) -> Rows:
    return {pair[1:]: tie for pair, tie in place.ties.items()}


def reach(place: Place) -> Rows:
    return {member: reached for (_, member), reached in ties.reach(place.ties).items()}


def network(place: Place) -> Rows:
    found = ties.network(place.everybody, place.at, event_time, place.zone_of).get(place.community)
    return {(): found} if found else {}


def newcomer_ties(place: Place) -> Rows:
    return {
        member: (began, place.local(began).date(), monday(place.local(began).date()), met, int(complete))
        for member, (began, met, complete) in place.newcomers.items()
    }


def newcomer_ties_week(place: Place) -> Rows:
    weeks: dict[date, list[int]] = {}
    for began, met, _ in place.newcomers.values():
        weeks.setdefault(monday(place.local(began).date()), []).append(met)
    return {
        week: (len(met), sum(map(bool, met)), sum(map(bool, met)) / len(met), sum(met) / len(met))
        for week, met in weeks.items()
        # The last zone ends a week 12 hours after UTC does.
        if datetime(week.year, week.month, week.day, 12, tzinfo=UTC) + timedelta(days=21) <= place.at
    }


def first_response(place: Place) -> Rows:
    return {message: (*each, place.local(each.asked_at).date()) for (_, message), each in place.responses.items()}


def responsiveness(bucket: Callable[[date], date]) -> Callable[[Place], Rows]:
    def rows(place: Place) -> Rows:
        found: dict[date, list[ties.Response]] = {}
        for each in place.responses.values():
            found.setdefault(bucket(place.local(each.asked_at).date()), []).append(each)
        return {start: ties.summed(asked) for start, asked in found.items()}

    return rows


def stays(place: Place) -> Iterator[tuple[str, ladder.Stay, int, tuple[Any, ...]]]:
    """Member, stay, its days so far, and what is told of the step to it."""
    windows = {step.level: step.window for step in place.said.steps}
    for (_, member), climbed in place.ladder.items():
        for stay in climbed:
            until = stay.until or place.last_day[place.community]
            step = (stay.from_level, stay.direction, stay.judged, windows[stay.judged], *stay.evidence)
            yield member, stay, (until - stay.since).days + 1, step


def ladder_history(place: Place) -> Rows:
    return {
        (member, stay.since): (stay.level, stay.rank, stay.until, days, *step)
        for member, stay, days, step in stays(place)
    }


def ladder_at(place: Place) -> Rows:
    """On the date of UTC, which is what the view is asked about."""
    day = place.at.date()
    return {
        member: (stay.level, stay.rank, stay.since, min(days, (day - stay.since).days + 1), *step)
        for member, stay, days, step in stays(place)
        if stay.since <= day and (stay.until is None or day <= stay.until)
    }


def direction(came: int, went: int) -> str:
    """The word for a move from one rank to another."""
    if came < 0:
        return "in"
    if came == went:
        return "held"
    if went == 0:
        return "out"
    return "back" if came == 0 else "up" if went > came else "down"


def moved(place: Place, came: str, went: str) -> tuple[int, int, str]:
    ranks = place.rank(came), place.rank(went)
    return (*ranks, direction(*ranks))


def ladder_flow(place: Place) -> Rows:
    return {(week, *levels): (*moved(place, *levels), members) for (_, week, *levels), members in place.flow.items()}


def ladder_moves(place: Place) -> Rows:
    return {(week, member): (came, went, *moved(place, came, went)) for member, (_, week, came, went) in place.weeks}


def ladder_steps(place: Place) -> Rows:
    return {
        (week, level): (place.rank(level), *numbers, number(share), int(lowest))
        for (_, week, level), (*numbers, share, lowest) in ladder.steps_of(place.flow, place.said.steps).items()
    }


def number(fraction: Fraction | None) -> float | None:
    return None if fraction is None else float(fraction)


def ladder_dwell(place: Place) -> Rows:
    return {
        level: (place.rank(level), lasted, ended, up, ended - up, median)
        for (_, level), (lasted, ended, up, median) in ladder.dwell(place.ladder, place.last_day).items()
    }


def ladder_week(place: Place) -> Rows:
    on = Counter((week, level) for _, (_, week, _, level) in place.weeks if level != "away")
    return {(week, level): (place.rank(level), members) for (week, level), members in on.items()}


def gravity(place: Place) -> Rows:
    found = ladder.gravity(Counter(move for _, move in place.weeks), place.said.steps)
    means = {week: number(mean) for (_, week), (_, mean) in found.items()}
    rows = {}
    for week in {week for _, (_, week, _, _) in place.weeks}:
        now, before = means.get(week), means.get(week - timedelta(days=7))
        members = found[place.community, week][0] if now is not None else 0
        rows[week] = (members, now, None if now is None or before is None else now - before)
    return rows


def streak_rows(found: Mapping[Any, Iterable[streaks.Streak]]) -> Rows:
    return {
        (*key[1:], streak.first): (streak.last, streak.kept, streak.frozen, int(streak.alive))
        for key, of_member in found.items()
        for streak in of_member
    }


def streaks_of_days(place: Place) -> Rows:
    said = place.said
    rules = (said.grace_hours, said.freeze_days, said.holidays)
    return streak_rows(streaks.streaks(place.facts, place.last_day, *rules, lambda fact: place.local(event_time(fact))))


def streaks_of_weeks(place: Place) -> Rows:
    said = place.said
    rules = (said.grace_hours, said.holidays)
    return streak_rows(
        streaks.week_streaks(place.facts, place.last_day, *rules, lambda fact: place.local(event_time(fact)))
    )


def streaks_at_rituals(place: Place) -> Rows:
    came = [(ritual, member, day) for ritual, days in place.roll.items() for day in days for member in days[day]]
    known_to = max([place.today, *(day for *_, day in came)])
    return {
        (*ritual, member, streak.first): (streak.last, streak.kept, int(streak.alive))
        for (ritual, member), found in streaks.ritual_streaks(came, known_to, place.said.holidays).items()
        for streak in found
    }


def attendance(place: Place) -> Rows:
    return {key: (len(there),) for key, there in rituals.attendance(place.facts, place.said.zone).items()}


def inferred_rituals(place: Place) -> Rows:
    """What a name says of a ritual, and the numbers that it was inferred from."""
    rows = {}
    for (month, name), ritual in place.inferred.items():
        slot, _, clock = name.rpartition(" ")
        ordinal, _, weekday = slot.rpartition(" ")
        told = ("day", 0, 0, 0)
        if weekday in WEEKDAYS:
            week = ORDINALS.index(ordinal) + 1 if ordinal else 0
            told = ("month" if ordinal else "week", WEEKDAYS.index(weekday) + 1, 0, week)
        elif ordinal:
            told = ("month", 0, int(weekday), 0)
        *counted, expected, chance = ritual
        rows[month, name] = (*told, int(clock[:2]), *counted, expected, max(3.0, round(3 * expected, 6)), chance)
    return rows


def ritual_attendance(place: Place) -> Rows:
    return {
        (*ritual, day, member): (at,)
        for ritual, days in place.roll.items()
        for day, there in days.items()
        for member, at in there.items()
    }


def ritual_occurrences(place: Place) -> Rows:
    return {
        key: (each.attendees, each.eligible, each.attendees / each.eligible if each.eligible else None, *each[2:])
        for key, each in place.occurrences.items()
    }


def shared_values(place: Place) -> Rows:
    return {
        key: (*shared, shared.talked_then_acted / shared.talkers if shared.talkers else None)
        for key, shared in place.values.items()
    }


def belonging_gains(place: Place) -> Rows:
    return {
        month: (
            *gains,
            gains.support_answered / gains.support_asked if gains.support_asked else None,
            gains.knowledge_answered / gains.knowledge_asked if gains.knowledge_asked else None,
        )
        for month, gains in place.gains.items()
    }


def give_and_receive(place: Place) -> Rows:
    return {
        key: (given, received, (given - received) / (given + received))
        for key, (given, received) in belonging.give_and_receive(place.facts, place.said.zone).items()
    }


def belonging_index(place: Place) -> Rows:
    names = ("returning", "contributing", "turnout", "habit", "answered", "talk_to_act")
    rows = {}
    for month in {month for month, _ in place.components}:
        known = [place.components.get((month, name)) for name in names]
        parts = [each.percentile if each else None for each in known]
        there = [part for part in parts if part is not None]
        if there:
            rows[month] = (sum(there) / len(there), len(there), *parts)
    return rows


class View(NamedTuple):
    """A view, its key columns beside the community, the others, and the oracle of its rows.

    `arguments` of a view of a moment: `{at}` stands for the moment, `{day}` for its date in UTC.
    """

    name: str
    keys: str
    values: str
    rows: Callable[[Place], Rows]
    arguments: str = ""

    @property
    def columns(self) -> set[str]:
        return set(filter(None, f"{self.keys}, {self.values}".split(", ")))


def of_moment(name: str, keys: str, values: str, rows: Callable[[Place], Rows], more: str = "") -> list[View]:
    """A view as far as the watermark has come, and the same at any moment."""
    return [View(name, keys, values, rows), View(f"{name}_at", keys, values, rows, "at = '{at}'" + more)]


NESTED = "events, members, engaged_members, contributing_members"
SEGMENT = "start, family, platform, actor_kind"
LIFECYCLE = "active, new, returning, resurrecting, dormant"
ABSENCE = "absence_factor, contributors, contributions, largest_share"
BURSTS = "gaps, mean_gap_s, deviation_s, burstiness"
AT_RISK = "member_id, messages, active_days, engaged_events, last_at, silent_days, last_platform"
TIE = "replies, mentions, reactions, occurrences, first_at, last_at, idle_months, strength"
NETWORK = "members, pairs, density, reciprocity, absence_factor, strongest"
ASKED = "asked, answered, late, unanswered, open, p50_s, p90_s"
STEP = "from_level, direction, judged_level, window_days, present_days, active_days, contributions, hosted_or_cocreated"
STEPS = "rank, members, up, held, down, member_weeks_12w, up_12w, up_share_12w, narrowest"
SLOT = "every, weekday, month_day, week_of_month, at_hour, from_hour, hours"
HOSTS = (
    "since, until, occurrences, hosts, main_host, hosted_by_main, host_dependence, absence_factor, "
    "attendees_with_main, attendees_without_main"
)
SHARED = "messages, talk_share, talkers, actors, talked_then_acted, talk_to_act"
GAINS = ", ".join(belonging.Gains._fields) + ", support_share, knowledge_share"
PARTS = "returning, contributing, turnout, habit, answered, talk_to_act"

VIEWS: tuple[View, ...] = (
    View("activity_minute", "start", NESTED, activity("minute")),
    View("activity_hour", "start", NESTED, activity("hour")),
    View("activity_day", "start", NESTED, activity("day")),
    View("activity_minute_by_segment", SEGMENT, "events, members", activity_by_segment("minute")),
    View("activity_hour_by_segment", SEGMENT, "events, members", activity_by_segment("hour")),
    View("activity_day_by_segment", SEGMENT, "events, members", activity_by_segment("day")),
    View("activity_rolling_at", "window", NESTED, rolling, "at = '{at}'"),
    View("activity_rolling_by_segment_at", "window, family, platform", NESTED, rolling_by_segment, "at = '{at}'"),
    View(
        "presence_day",
        "day",
        "present, engaged, contributing, events",
        lambda place: place.connection.presence(),
    ),
    View("active_members", "day", "dau, wau, mau, stickiness", active_members),
    View("lifecycle_day", "day", LIFECYCLE, lambda place: place.connection.lifecycle_days()),
    View("lifecycle_week", "week", LIFECYCLE, lambda place: place.connection.lifecycle_weeks()),
    View(
        "retention_week",
        "cohort_by, cohort_week, week",
        "members, retained, retained_or_after, retention, retention_or_after",
        retention,
    ),
    *of_moment("active_days", "length_days, active_days", "members", active_days),
    *of_moment("absence_factor", "days", ABSENCE, absence_factor, ", days = 90"),
    View("absence_factor_month", "month", ABSENCE, lambda place: place.connection.absence_months()),
    *of_moment("breadth", "days", "breadth, modal_share, segments, members", breadth, ", days = 28"),
    *of_moment("engaged_by_segment", "role, stage, platform, days", "members", engaged_by_segment, ", days = 28"),
    *of_moment("burstiness", "days", BURSTS, burstiness, ", days = 28"),
    *of_moment("member_burstiness", "member_id, days", BURSTS, member_burstiness, ", days = 28"),
    *of_moment("members_at_risk", "rank", AT_RISK, members_at_risk),
    View("attendance_hour", "day, hour", "attendees", attendance),
    View(
        "inferred_rituals",
        "month, ritual",
        f"{SLOT}, dates, held, attendance, expected, threshold, chance",
        inferred_rituals,
    ),
    View("ritual_attendance", "source, ritual, day, member_id", "arrived_at", ritual_attendance),
    View(
        "ritual_occurrences",
        "source, ritual, day",
        "attendees, eligible, turnout, regulars, habit_rate, host_id",
        ritual_occurrences,
    ),
    View("ritual_hosts", "source, ritual", HOSTS, lambda place: rituals.hosts(place.occurrences)),
    *of_moment("ties", "member_id, other_id", TIE, tie_strength),
    *of_moment("reach", "member_id", "ties, mutual, given, received, reach", reach),
    *of_moment("network", "", NETWORK, network),
    *of_moment("newcomer_ties", "member_id", "first_engaged_at, day, week, ties, complete", newcomer_ties),
    View("newcomer_ties_week", "week", "newcomers, connected, connected_share, mean_ties", newcomer_ties_week),
    *of_moment(
        "first_response", "message_id", "member_id, asked_at, first_reply_at, seconds, state, day", first_response
    ),
    View("first_response_day", "day", ASKED, responsiveness(lambda day: day)),
    View("first_response_week", "week", ASKED, responsiveness(monday)),
    View("ladder_history", "member_id, since", f"level, rank, until, days, {STEP}", ladder_history),
    View("ladder_at", "member_id", f"level, rank, since, days, {STEP}", ladder_at, "at = '{day}'"),
    View("ladder_flow", "week, from_level, to_level", "from_rank, to_rank, direction, members", ladder_flow),
    View("ladder_member_week", "week, member_id", "from_level, to_level, from_rank, to_rank, direction", ladder_moves),
    View("ladder_steps", "week, level", STEPS, ladder_steps),
    View("ladder_dwell", "level", "rank, stays, ended, ended_up, ended_down, median_days", ladder_dwell),
    View("ladder_week", "week, level", "rank, members", ladder_week),
    View("gravity", "week", "members, gravity, change", gravity),
    View("streaks", "member_id, first_day", "last_day, days, frozen_days, alive", streaks_of_days),
    View("streaks_week", "member_id, first_week", "last_week, weeks, frozen_weeks, alive", streaks_of_weeks),
    View(
        "streaks_ritual",
        "source, ritual, member_id, first_day",
        "last_day, occurrences, alive",
        streaks_at_rituals,
    ),
    View(
        "signs",
        "day, kind, ref, member_id",
        "events, first_at, last_at",
        lambda place: belonging.told(place.facts, place.said.lexicon, place.said.zone),
    ),
    View("shared_values", "month, value", SHARED, shared_values),
    View("belonging_gains", "month", GAINS, belonging_gains),
    View(
        "thanks",
        "month, giver_id, receiver_id",
        "thanks",
        lambda place: {key: (each,) for key, each in belonging.thanks(place.facts, place.said.zone).items()},
    ),
    View("give_and_receive", "month, member_id", "given, received, balance", give_and_receive),
    View("belonging_components", "month, component", "value, months, percentile", lambda place: place.components),
    View("belonging_index", "month", f"belonging, components, {PARTS}", belonging_index),
)
"""Every view of the catalog that a metric is read from, but for those that end at the clock of the warehouse."""
