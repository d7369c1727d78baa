"""Rituals: what a community does again and again, declared or not, and who comes."""

from __future__ import annotations

from streams.catalog.metric import Metric, Relation

_SOURCE = "declared in the settings; named by check-ins alone; or inferred"

METRICS: tuple[Metric, ...] = (
    Metric(
        name="attendance",
        title="Attendance by hour",
        words="How many members were there in each hour of the community's own clock: wrote a message or checked in.",
        formula="Exact number of distinct counted members with a message or a check-in in the local hour.",
        unit="members",
        grain="community, day, hour",
        view="attendance_hour",
        columns={"hour": "Local hour of the day, 0 to 23", "attendees": "Distinct members who wrote or checked in"},
        caveats=(
            "Hours in which nobody was there have no row.",
            "Members of several hours must not be added: one member may be in more than one.",
            "In zones that are not whole hours from UTC, an hour is one of UTC, told by the local hour it begins in.",
        ),
        reference="ours: what recurrence is looked for in",
    ),
    Metric(
        name="inferred_rituals",
        title="Inferred rituals",
        words=(
            "Occasions at which members come together again and again, though nobody declared them: every day, every "
            "week or every month at the same local hour."
        ),
        formula=(
            "An hour of the day, week or month is a ritual of a calendar month when in a window up to the month's end "
            "(2, 6 or 12 months) attendance reached `threshold` = max(3, 3 x `expected`) on at least half of its dates "
            "and on 4, and `chance` is at most 0.01. `expected` comes from the community's own profile: daily, the "
            "mean of the hours 2 and 3 before and after; weekly, the same hour of the other days, or the product of "
            "hour and weekday without the slot where that is more; monthly, the same hour of the other days (by date, "
            "1 to 28) or of the same weekday in other weeks (first to fifth). It is at least one attendee in the whole "
            "window. `chance` = slots x exp(-`dates` x D), where D is the relative entropy of `held` / `dates` to "
            "`expected` / `threshold` and slots are 24, 168, 672 or 840. Hours of one day that follow each other are "
            "one ritual."
        ),
        unit="members",
        grain="community, month, ritual",
        view="inferred_rituals",
        columns={
            "month": "First day of the calendar month at whose end it could be inferred",
            "ritual": "Name: `Wednesday 20:00`, `daily 07:00`, `day 15 12:00` or `first Friday 18:00`",
            "every": "day, week or month",
            "weekday": "1 Monday to 7 Sunday; 0 when it has none",
            "month_day": "Day of the month; 0 when it has none",
            "week_of_month": "1 first to 5 fifth of that weekday in the month; 0 when it has none",
            "at_hour": "Local hour that is attended best",
            "from_hour": "Local hour it begins in",
            "hours": "Hours that belong to it",
            "dates": "Dates of the window on which it was due",
            "held": "Dates on which attendance reached the threshold",
            "attendance": "Mean attendance of the best hour over all dates",
            "expected": "Attendance of that hour that the rest of the profile leads one to expect",
            "threshold": "Attendance from which on a date counts as held",
            "chance": "Upper bound of the probability that any slot of a community without rituals looks like this",
        },
        caveats=(
            "Three people are the fewest that make a gathering; smaller circles are not seen.",
            "An occasion of every second week shows as a weekly one that is held half of the time.",
            "Three or more weekly occasions at one hour begin to look like the profile of that hour.",
            "A change of hour shows as a ritual that ends and another that begins some weeks later.",
            "The month that is not over is told up to its last day with data.",
        ),
        reference=(
            "ours: no system found infers rituals. Markov's inequality bounds one date, whatever the distribution of "
            "attendance; Chernoff's bound all dates of a slot; Bonferroni's all slots"
        ),
    ),
    Metric(
        name="ritual_turnout",
        title="Turnout and habits of rituals",
        words=(
            "Each date of each ritual: how many came, what share of those who could have, and how many of them keep "
            "coming."
        ),
        formula=(
            "Turnout = `attendees` / `eligible`. Attendees checked in at the ritual that day, or wrote in the "
            "conversation that the settings name for it, while it lasted on a day on which it was due; at an inferred "
            "ritual they wrote or checked in in its hours. Eligible are the members engaged in the 28 days that end "
            "with the date. `regulars` came to at least 3 of the last 4 occurrences that anybody came to, this one "
            "included; `habit_rate` = `regulars` / all who came to any of the 4."
        ),
        unit="share",
        grain="community, source, ritual, day",
        view="ritual_occurrences",
        columns={
            "source": _SOURCE,
            "ritual": "Its name, in the settings, in check-ins or made of its slot",
            "attendees": "Members who came",
            "eligible": "Members engaged in the 28 days that end with the date",
            "turnout": "Share of the eligible who came",
            "regulars": "Members who came to 3 or 4 of the last 4; NULL before the fourth and when nobody came",
            "habit_rate": "Share of regulars among all who came to any of the last 4",
            "host_id": "Who hosts it by the settings, when they came, else who came first; empty when nobody came",
        },
        caveats=(
            "A check-in counts for its day, whatever the hour; a message while the ritual lasts, and until midnight.",
            "Dates without anybody are known of declared and inferred rituals only, from their first occurrence on.",
            "One occasion may be there twice: as check-ins name it, and as it was inferred from them.",
            "An empty date breaks no habit: the last 4 are those that took place.",
        ),
        reference="ours: no system found has it; shares of members as in Discourse's trust levels (days visited)",
    ),
    Metric(
        name="host_dependence",
        title="Host dependence of rituals",
        words="How much a ritual hangs on one host: would it take place, and would people come, without them?",
        formula=(
            "Over the last 26 occurrences that anybody came to: `host_dependence` = share that the most frequent host "
            "hosted. `absence_factor` = smallest number of hosts that together hosted at least half."
        ),
        unit="share",
        grain="community, source, ritual",
        view="ritual_hosts",
        columns={
            "source": _SOURCE,
            "ritual": "Its name, in the settings, in check-ins or made of its slot",
            "since": "First of the occurrences that are looked at",
            "until": "Last of them",
            "occurrences": "How many they are, 26 at the most",
            "hosts": "Distinct hosts",
            "main_host": "Who hosted most of them; of equals the first by id",
            "hosted_by_main": "Occurrences with the main host",
            "host_dependence": "Share of occurrences with the main host",
            "absence_factor": "Fewest hosts that hosted at least half of the occurrences",
            "attendees_with_main": "Mean attendance when the main host hosts",
            "attendees_without_main": "Mean attendance when another does; NULL when nobody else did",
        },
        caveats=("Where no host is declared, or that host did not come, whoever came first is taken for the host.",),
        reference="CHAOSS Contributor Absence Factor, of hosting; at least 50 %",
    ),
)

RELATIONS: tuple[Relation, ...] = (
    Relation(
        "ritual_check_ins",
        "Who took part in which ritual on which local day, and when first: by a check-in, or in its conversation.",
        {"ritual": "As check-ins and settings name it", "arrived_at": "First check-in or message of the day at it"},
    ),
    Relation(
        "ritual_roll",
        "Who came to which ritual on which local day, and past dates on which it was due: those without a member.",
        {
            "source": "named by check-ins, or inferred",
            "ritual": "Its name",
            "member_id": "Member who came; empty for a date on which the ritual was due",
            "arrived_at": "First event of the member in it; 1970 without a member",
        },
    ),
    Relation(
        "ritual_attendance",
        "Who came to which ritual on which local day, and when first.",
        {
            "source": "named by check-ins, or inferred",
            "ritual": "Its name",
            "arrived_at": "First event of the member in it",
        },
    ),
)
