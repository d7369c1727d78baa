"""Activity: how much happens in a community, and how many members take part."""

from __future__ import annotations

from streams.catalog.metric import Metric

_NESTED = {
    "events": "Events of counted members, of every family",
    "members": "Distinct members with any event",
    "engaged_members": "Distinct members who wrote, reacted, checked in, ordered or reviewed",
    "contributing_members": "Distinct members who wrote, reviewed or hosted",
}

_FEW = (
    "Counts of 1 to 4 members are withheld: NULL (`metrics.smallest_cohort`). Counts of events are shown.",
    "Withholding keeps people out of reports; it is no access control: member_activity names every member.",
)
_ADD = "Members of several rows must not be added: one member may be in more than one."

METRICS: tuple[Metric, ...] = (
    Metric(
        name="activity",
        title="Activity",
        words="How much happened in a community in a minute, an hour or a day, and how many members took part.",
        formula=(
            "Count of events by event time; exact number of distinct members with any event (present), "
            "with an engaging event (engaged) and with a contributing one (contributing). The three are nested."
        ),
        unit="members",
        grain="community, bucket",
        view="activity_day",
        also=("activity_hour", "activity_minute"),
        columns=_NESTED,
        caveats=(
            "Members of several buckets must not be added: one member may be in more than one.",
            "Buckets in which nothing happened have no row.",
            "Buckets are UTC, whatever the zone of the community.",
        ),
        reference="Discourse reports: the nesting of present, engaged and contributing",
    ),
    Metric(
        name="rolling_activity",
        title="Activity of rolling windows",
        words="How much happened, and how many members took part, in the last 5 minutes, hour, day, 7 and 28 days.",
        formula=(
            "As activity, over the minute that contains the moment and the n - 1 minutes before it. "
            "Distinct members are exact and can be taken back; windows are not added up."
        ),
        unit="members",
        grain="community, window",
        view="activity_rolling",
        also=("activity_rolling_at",),
        columns=_NESTED,
        caveats=(
            "Ends at the clock of the warehouse; activity_rolling_at(at = '2026-01-31 12:00:00') at any moment.",
            "While a backfill is being worked off, 28 days may show less than 24 hours.",
        ),
        reference="Discourse: daily active users over monthly ones; mastodon#18861 on sketches that cannot forget",
    ),
    Metric(
        name="activity_by_segment",
        title="Activity by segment",
        words="What activity is made of: which families of events, on which platforms, by which kind of actor.",
        formula="As activity, by family, platform and actor kind.",
        unit="events",
        grain="community, bucket, family, platform, actor kind",
        view="activity_day_by_segment",
        also=("activity_hour_by_segment", "activity_minute_by_segment"),
        columns={
            "events": "Events of the segment",
            "members": "Distinct members of the segment; NULL when there are few",
        },
        caveats=(_ADD, *_FEW),
        reference="ours: the dimensions that every platform has",
    ),
    Metric(
        name="rolling_activity_by_segment",
        title="Activity of rolling windows by segment",
        words="What the activity of the last 5 minutes to 28 days is made of.",
        formula="As rolling activity, by family and platform.",
        unit="members",
        grain="community, window, family, platform",
        view="activity_rolling_by_segment",
        also=("activity_rolling_by_segment_at",),
        columns={
            "events": "Events of the segment",
            "members": "Distinct members of the segment; NULL when there are few",
            "engaged_members": "Those for whom the family counts as taking part; NULL when there are few",
            "contributing_members": "Those for whom the family counts as giving something; NULL when there are few",
        },
        caveats=(_ADD, *_FEW),
        reference="ours: the dimensions that every platform has",
    ),
)
