"""The ladder and streaks: how far members have come, how they move, what holds them, how steadily they take part."""

from __future__ import annotations

from streams.catalog.metric import Metric, Relation

_STAY = {
    "level": "Level of the stay; away when not even the lowest is met any more",
    "rank": "Place of the level on the ladder: 1 for the lowest, 0 for away",
    "since": "First day of the stay, in the zone of the community",
    "days": "Days of the stay so far",
    "from_level": "Level before the stay; empty for the first",
    "direction": "in (first stay), up, down, out (to away) or back (from away)",
    "judged_level": "Level whose demands the counts speak of: the one reached, or the lowest one lost",
    "window_days": "Days that were counted, up to the first day of the stay",
    "present_days": "Days with any event within the window",
    "active_days": "Days with an engaged event within the window",
    "contributions": "Contributing events within the window: messages, reviews, check-ins as a host",
    "hosted_or_cocreated": "Reviews, acts of moderation and declared rituals hosted within the window",
}

_WEEKS = "Weeks that are not over have no row."
_RULE = (
    "A level is met on a day when its demands and those of all lower levels are met by the days of their windows "
    "that end with it. A member goes up on the first day on which a higher level is met. A member goes down on a "
    "Monday, when the level was met neither on that day nor on the days of its grace (14), to the highest level that "
    "was."
)

METRICS: tuple[Metric, ...] = (
    Metric(
        name="ladder",
        title="Ladder",
        words="How far each member has come from visitor to co-builder, since when, and by what evidence.",
        formula=_RULE,
        unit="level",
        grain="community, member, stay",
        view="ladder_history",
        also=("ladder_at",),
        columns=_STAY | {"until": "Last day of the stay; NULL while it goes on"},
        caveats=(
            "What a level asks for is in `ladder_levels`, and communities set their own.",
            "Stays end with the watermark's day: what a silent member loses later is not told in advance.",
            "A late event, a merge or a change of thresholds rewrites the history: it is what the facts say today.",
            "Steps are told by the day; two levels reached on one day are one step.",
            "A declared ritual counts as hosted when its host checked in to it, under the id that the settings name.",
        ),
        reference=(
            "Discourse trust levels (days visited of the last 100, two weeks of grace) and the levels of Orbit; "
            "the default thresholds are ours"
        ),
    ),
    Metric(
        name="ladder_flow",
        title="Ladder flow",
        words="How many members went up, stayed, or fell, from which level to which, in a week.",
        formula=(
            "Members by their level at the end of the Sunday before the week and at the end of its own Sunday. "
            "What happened in between and was undone is not seen."
        ),
        unit="members",
        grain="community, week, level before, level after",
        view="ladder_flow",
        columns={
            "from_level": "Level at the end of the week before; empty for members who were not there yet",
            "from_rank": "Its place on the ladder: 0 for away, -1 for members who were not there yet",
            "to_level": "Level at the end of the week",
            "to_rank": "Its place on the ladder: 0 for away",
            "direction": "in, up, held, down, out (to away) or back (from away)",
            "members": "Members who went this way",
        },
        caveats=(_WEEKS, "Pairs of levels that nobody took have no row."),
        reference="Discourse `trust_level_pipeline`; Orbit",
    ),
    Metric(
        name="ladder_moves",
        title="Moves of members",
        words="Who went which way on the ladder in a week: the members behind the ladder flow.",
        formula="As ladder flow, a row a member.",
        unit="level",
        grain="community, week, member",
        view="ladder_member_week",
        columns={
            "from_level": "Level at the end of the week before; empty when the member was not there yet",
            "from_rank": "Its place on the ladder: 0 for away, -1 when the member was not there yet",
            "to_level": "Level at the end of the week",
            "to_rank": "Its place on the ladder: 0 for away",
            "direction": "in, up, held, down, out (to away) or back (from away)",
        },
        caveats=(_WEEKS, "Members who are away keep having rows."),
        reference="ours: a number of people must lead to the people",
    ),
    Metric(
        name="ladder_steps",
        title="Steps of the ladder",
        words="From which level the fewest get on: the step a community should work at.",
        formula=(
            "Of the members on a level at the end of a week, those who are higher, as high, or lower a week later. "
            "Share of ups: those who went up divided by those who could have, added over the last 12 complete weeks. "
            "The narrowest step is the level, the highest left out, with the lowest share."
        ),
        unit="share",
        grain="community, week, level",
        view="ladder_steps",
        columns={
            "level": "Level at the end of the week before",
            "rank": "Its place on the ladder: 1 for the lowest",
            "members": "Members on it at the end of the week before",
            "up": "Of these, members who are higher at the end of the week",
            "held": "Of these, members who are still on it",
            "down": "Of these, members who are lower, or away",
            "member_weeks_12w": "`members`, added over the last 12 complete weeks",
            "up_12w": "`up`, added over the last 12 complete weeks",
            "up_share_12w": "`up_12w` divided by `member_weeks_12w`; NULL for the highest level and where nobody was",
            "narrowest": "1 for the level with the lowest share of ups in the week; ties are all marked",
        },
        caveats=(
            _WEEKS,
            "A share a week: of 100 member-weeks on the level, how many ended higher.",
            "Few members make a share jump: read `member_weeks_12w` beside it.",
        ),
        reference="Discourse `trust_level_pipeline`; the choice of the narrowest step is ours",
    ),
    Metric(
        name="ladder_dwell",
        title="Dwell time",
        words="How long members stay on a level before they leave it, upwards or downwards.",
        formula=(
            "Median of the lengths of stays in days, by the product-limit estimate: stays that still go on count "
            "as having lasted at least as long as they have."
        ),
        unit="days",
        grain="community, level",
        view="ladder_dwell",
        columns={
            "level": "Level",
            "rank": "Its place on the ladder: 1 for the lowest",
            "stays": "Stays on the level, those that go on included",
            "ended": "Stays that have ended",
            "ended_up": "Stays that ended with a step up",
            "ended_down": "Stays that ended with a step down, or away",
            "median_days": "Estimated median length; NULL while the estimate says that more than half still last",
        },
        caveats=("Over the whole history of the community, not over a window.",),
        reference="Kaplan and Meier 1958; Discourse for the question",
    ),
    Metric(
        name="ladder_levels_week",
        title="Members by level",
        words="How many members a community has on each level at the end of a week.",
        formula="Members by their level at the end of Sunday.",
        unit="members",
        grain="community, week, level",
        view="ladder_week",
        columns={
            "level": "Level at the end of the week",
            "rank": "Its place on the ladder: 1 for the lowest",
            "members": "Members on the level; those who are away are left out",
        },
        caveats=(_WEEKS, "Levels that nobody is on have no row."),
        reference="Orbit levels",
    ),
    Metric(
        name="gravity",
        title="Gravity",
        words="How strongly a community holds its members: high when many of them contribute and build.",
        formula=(
            "Sum over levels of weight squared times members, divided by members, at the end of the week; levels "
            "without a weight are left out of both. Weights are 1 (participant), 4, 7 and 10 (co-builder) by default."
        ),
        unit="ratio",
        grain="community, week",
        view="gravity",
        columns={
            "members": "Members on levels that have a weight",
            "gravity": "Mean of the squared weights of these members; NULL without any",
            "change": "Difference to the week before; NULL where either is",
        },
        caveats=(
            _WEEKS,
            "Visitors have no weight by default: otherwise every newcomer would lower it.",
            "It falls when many join as participants, which is no loss: read it beside `members`.",
        ),
        reference="Orbit `gravity/measure`, whose four levels have these weights",
    ),
    Metric(
        name="streaks",
        title="Streaks",
        words="How many days in a row a member took part, late nights, missed days and holidays forgiven.",
        formula=(
            "A day is kept by an engaged event on it, or by one in the first hours (3) of the next day, which cannot "
            "begin a streak. A streak ends when more than the frozen days (1) in a row are missing; holidays of the "
            "community are not missing."
        ),
        unit="days",
        grain="community, member, streak",
        view="streaks",
        columns={
            "first_day": "First day of the streak",
            "last_day": "Last day that was kept",
            "days": "Days that were kept",
            "frozen_days": "Missing days and holidays between the first and the last day",
            "alive": "1 while the next day can still prolong it",
        },
        caveats=(
            "The hours of grace and the frozen days are in `streak_rules`, and communities set their own.",
            "A day may be frozen again and again: whoever comes every other day has a streak, of half as many days.",
            "A late event repairs a streak that was shown as ended.",
        ),
        reference="ours; daily.dev #1464, #1543 and #1612 say what goes wrong",
    ),
    Metric(
        name="streaks_week",
        title="Streaks of weeks",
        words="How many weeks in a row a member took part.",
        formula="A week is kept by a kept day, as for streaks. A missing week ends it, unless a holiday is in it.",
        unit="weeks",
        grain="community, member, streak",
        view="streaks_week",
        columns={
            "first_week": "Monday of the first week of the streak",
            "last_week": "Monday of the last week that was kept",
            "weeks": "Weeks that were kept",
            "frozen_weeks": "Missing weeks with a holiday between the first and the last week",
            "alive": "1 while the next week can still prolong it",
        },
        caveats=("A late event repairs a streak that was shown as ended.",),
        reference="ours, as streaks: most communities live by the week",
    ),
    Metric(
        name="streaks_ritual",
        title="Streaks at rituals",
        words="How many occurrences of a ritual in a row a member came to.",
        formula=(
            "An occurrence is a day on which anybody came to the ritual. One that a member missed ends the streak, "
            "unless it fell on a holiday of the community."
        ),
        unit="occurrences",
        grain="community, ritual, member, streak",
        view="streaks_ritual",
        columns={
            "source": "named by check-ins, or inferred",
            "ritual": "Name of the ritual",
            "first_day": "Day of the first occurrence of the streak",
            "last_day": "Day of the last occurrence the member came to",
            "occurrences": "Occurrences the member came to",
            "alive": "1 while the member has missed none since",
        },
        caveats=(
            "A date on which nobody came is no occurrence and ends no streak.",
            "A late event repairs a streak that was shown as ended.",
        ),
        reference="ours; daily.dev #1464, #1543 and #1612 say what goes wrong",
    ),
)

RELATIONS: tuple[Relation, ...] = (
    Relation(
        "streak_days",
        "The days of a member that count for streaks.",
        {"kept_by_night": "1 when the day was kept only by an event in the first hours of the next day"},
    ),
)
