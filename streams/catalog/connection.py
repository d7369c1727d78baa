"""Connection: who is there, who comes back, who stays away, and on how few members a community rests."""

from __future__ import annotations

from streams.catalog.metric import Metric, Relation

_ZEROS = "No day is missing: from the first of the community to the watermark a silent one is a row of zeros."
_AT = (
    "Ends where the watermark is; the view whose name ends with _at takes any moment, as in at = '2026-01-31 12:00:00'."
)
_BURSTS = {
    "gaps": "Number of times between events: one fewer than events",
    "mean_gap_s": "mu, mean of them in seconds; NULL without any",
    "deviation_s": "sigma, standard deviation of them in seconds; NULL with fewer than two",
    "burstiness": "-1 as regular as a clock, 0 as random as rain, towards 1 in bursts; NULL with fewer than two gaps",
    "days": "Length of the period that ends with the moment; the plain view takes 28",
}

METRICS: tuple[Metric, ...] = (
    Metric(
        name="presence",
        title="Presence",
        words="How many members were there on a day: present at all, taking part, giving something.",
        formula=(
            "Exact number of distinct members with any event (present), with a message, reaction, check-in, order or "
            "review (engaged), and with a message, a review or a check-in as the declared host of a ritual "
            "(contributing). The three are nested and never mixed."
        ),
        unit="members",
        grain="community, day",
        view="presence_day",
        columns={
            "present": "Distinct members with any event",
            "engaged": "Distinct members who wrote, reacted, checked in, ordered or reviewed",
            "contributing": "Distinct members who wrote, reviewed or hosted",
            "events": "Events of counted members, of every family",
        },
        caveats=(_ZEROS, "Members of several days must not be added: one member may be there on more than one."),
        reference="Discourse reports: visits, engaged users and new contributors are different numbers",
    ),
    Metric(
        name="active_members",
        title="Active members and stickiness",
        words="How many members took part in the last day, week and month, and how many of a month's a day sees.",
        formula=(
            "Exact number of distinct engaged members of the day (dau), of the 7 days (wau) and the 28 days (mau) that "
            "end with it; stickiness = dau / mau."
        ),
        unit="members",
        grain="community, day",
        view="active_members",
        columns={
            "dau": "Distinct engaged members of the day",
            "wau": "Distinct engaged members of the 7 days that end with it",
            "mau": "Distinct engaged members of the 28 days that end with it",
            "stickiness": "dau / mau, a share; NULL when nobody was active in 28 days",
        },
        caveats=(
            _ZEROS,
            "In the first 28 days of a community mau still grows because its window does.",
            "A month is 28 days, so that every window holds each day of the week equally often.",
        ),
        reference="Discourse: dau_by_mau; mastodon#18861 on sketches that cannot forget",
    ),
    Metric(
        name="lifecycle",
        title="Lifecycle",
        words="Of the members who took part: how many are new, stayed, or came back; and how many stayed away.",
        formula=(
            "Of engaged members of a day or week: new when never engaged before in event time; returning when engaged "
            "in the one before; resurrecting when engaged before, but not in the one before. Dormant, shown negative: "
            "engaged in the one before and not in this one. active = new + returning + resurrecting."
        ),
        unit="members",
        grain="community, day or week",
        view="lifecycle_day",
        also=("lifecycle_week",),
        columns={
            "active": "Distinct engaged members: new + returning + resurrecting",
            "new": "Members engaged for the first time ever, in event time",
            "returning": "Members engaged in the bucket before as well",
            "resurrecting": "Members engaged before, but not in the bucket before",
            "dormant": "Members engaged in the bucket before and not in this one; negative",
        },
        caveats=(
            "No day or week is missing: a silent one is a row.",
            "While a bucket goes on (settled = 0) everybody who may still come is among the dormant.",
            "A late event may make a new member of one day a returning one: all days it moves are restated.",
        ),
        reference="PostHog: lifecycle; its #13733 and #25367 say why new means first ever",
    ),
    Metric(
        name="retention",
        title="Weekly retention",
        words="Of the members who joined, or first contributed, in a week: how many came back in each week after.",
        formula=(
            "Cohort by join: members by the week of their first event of any kind, kept when engaged. Cohort by "
            "contribution: by the week of the first message or review, kept when they write or review again. Kept in "
            "exactly that week (on interval), or in that week or a later one (on or after). Complete weeks only."
        ),
        unit="share",
        grain="community, cohort by, cohort week, week",
        view="retention_week",
        columns={
            "cohort_by": "join: first event of any kind; contribution: first message or review",
            "cohort_week": "Monday of the week in which the members of the cohort began",
            "week": "Weeks since: 0 is the cohort's own week",
            "members": "Members of the cohort",
            "retained": "Members who came in exactly that week",
            "retained_or_after": "Members who came in that week or a later one",
            "retention": "retained / members",
            "retention_or_after": "retained_or_after / members",
        },
        caveats=(
            "Only weeks that are over, so the newest cohort has no row until its own week is.",
            "On or after may still grow: who stayed away until now may come back.",
            "Platforms that publish no joins have members from their first event on.",
        ),
        reference="PostHog: retention, on interval and on or after",
    ),
    Metric(
        name="active_days",
        title="Active days of a week and of a month",
        words="How often members come: how many took part on one day of the last 7 or 28, on two, on all of them.",
        formula=(
            "Engaged members by their number of distinct active days among the 7 (L7) and the 28 (L28) days that end "
            "with the day of the moment."
        ),
        unit="members",
        grain="community, length, number of days",
        view="active_days",
        also=("active_days_at",),
        columns={
            "length_days": "7 or 28",
            "active_days": "Number of distinct days with an engaged event, from 1 to the length",
            "members": "Members with exactly so many",
        },
        caveats=(_AT, "Communities in which nobody took part for 28 days have no row."),
        reference="PostHog: stickiness; elsewhere known as L7 and L28, or the power user curve",
    ),
    Metric(
        name="absence_factor",
        title="Contributor absence factor",
        words="On how few members a community rests: so many would have to leave for half of what is given to be gone.",
        formula=(
            "The smallest k such that the k busiest members have at least 50 % of the contributions (messages, "
            "reviews and check-ins as the host of a ritual) of the period between them."
        ),
        unit="members",
        grain="community",
        view="absence_factor",
        also=("absence_factor_at",),
        columns={
            "absence_factor": "Fewest members who have at least half of the contributions between them",
            "contributors": "Members who contributed",
            "contributions": "Their messages, reviews and check-ins as a host",
            "largest_share": "Share of the busiest member",
            "days": "Length of the period, whose last day is that of the moment; the plain view takes 90",
        },
        caveats=(_AT, "A low factor in a small community is no news: read it next to contributors."),
        reference="CHAOSS: contributor absence factor, with its 50 %; LFX takes 51 %",
    ),
    Metric(
        name="absence_factor_by_month",
        title="Contributor absence factor by month",
        words="How the number of members a community rests on changes from month to month.",
        formula="As contributor absence factor, over calendar months in the zone of the community.",
        unit="members",
        grain="community, month",
        view="absence_factor_month",
        columns={
            "month": "First day of the month",
            "absence_factor": "Fewest members who have at least half of the contributions between them; 0 without any",
            "contributors": "Members who contributed",
            "contributions": "Their messages, reviews and check-ins as a host",
            "largest_share": "Share of the busiest member; NULL when nobody contributed",
        },
        caveats=("No month is missing: one without contributions is a row of zeros.",),
        reference="CHAOSS: contributor absence factor, with its 50 %; LFX takes 51 %",
    ),
    Metric(
        name="breadth",
        title="Breadth",
        words="How many kinds of members take part: whether a community is one crowd or many.",
        formula=(
            "The exp of the Shannon entropy of role x stage x platform among members engaged in the period: as many "
            "equally large segments would be as diverse. A member has the role and stage last said of them, and the "
            "platform of most of their engaged events."
        ),
        unit="segments",
        grain="community",
        view="breadth",
        also=("breadth_at",),
        columns={
            "breadth": "Effective number of segments, from 1 to `segments`; NULL when there are few members",
            "modal_share": "Share of the largest segment; NULL when there are few members",
            "segments": "Segments with a member in them; NULL when there are few members",
            "members": "Engaged members of the period: n",
            "days": "Length of the period, whose last day is that of the moment; the plain view takes 28",
        },
        caveats=(
            _AT,
            "Of 1 to 4 members nothing is said: NULL (`metrics.smallest_cohort`).",
            "Where platforms publish neither role nor stage it is the breadth of platforms alone.",
        ),
        reference="Hill number of order 1: Hill 1973, Diversity and evenness; Jost 2006, Entropy and diversity",
    ),
    Metric(
        name="engaged_by_segment",
        title="Engaged members by segment",
        words="What breadth is made of: how many engaged members have which role and stage, on which platform.",
        formula="Members engaged in the period by role, stage and platform, each in one segment, as in breadth.",
        unit="members",
        grain="community, role, stage, platform",
        view="engaged_by_segment",
        also=("engaged_by_segment_at",),
        columns={
            "role": "Role last said of the members; empty when never said",
            "stage": "Stage last said of the members; empty when never said",
            "platform": "Platform of most of their engaged events",
            "members": "Engaged members of the segment; NULL when there are few",
            "days": "Length of the period, whose last day is that of the moment; the plain view takes 28",
        },
        caveats=(
            _AT,
            "Counts of 1 to 4 members are withheld: NULL (`metrics.smallest_cohort`).",
            "Withholding keeps people out of reports; it is no access control: member_activity names every member.",
        ),
        reference="ours: the dimensions that memberships state",
    ),
    Metric(
        name="burstiness",
        title="Burstiness",
        words="Whether a community talks evenly or in bursts with long silences between them.",
        formula=(
            "B = (sigma - mu) / (sigma + mu) of the times between engaged events of the days x 24 hours that "
            "end with the moment; sigma is the population's."
        ),
        unit="ratio",
        grain="community",
        view="burstiness",
        also=("burstiness_at",),
        columns=_BURSTS,
        caveats=(_AT, "With few gaps it is biased downwards: read it next to gaps."),
        reference="Goh and Barabasi 2008, Burstiness and memory in complex systems, EPL 81",
    ),
    Metric(
        name="member_burstiness",
        title="Burstiness of members",
        words="Whether a member takes part evenly or in bursts with long silences between them.",
        formula="As burstiness, of the events of one member.",
        unit="ratio",
        grain="community, member",
        view="member_burstiness",
        also=("member_burstiness_at",),
        columns=_BURSTS,
        caveats=(_AT, "With few gaps it is biased downwards: read it next to gaps."),
        reference="Goh and Barabasi 2008, Burstiness and memory in complex systems, EPL 81",
    ),
    Metric(
        name="members_at_risk",
        title="Members at risk",
        words="Members who gave much and have gone quiet: whom to write to, and why.",
        formula=(
            "No engaged event on the last 30 days, the last of which contains the moment, after 20 messages or more on "
            "the 90 days before those. Most messages first."
        ),
        unit="members",
        grain="community, member",
        view="members_at_risk",
        also=("members_at_risk_at",),
        columns={
            "rank": "Place in the list: the most messages first, then the latest event",
            "messages": "Messages on the 90 days",
            "active_days": "Days of the 90 with an engaged event",
            "engaged_events": "Engaged events on the 90 days",
            "last_at": "Last sign of life: the last engaged event",
            "silent_days": "Days since the day of the last sign of life, 30 or more",
            "last_platform": "Platform of the last engaged event",
        },
        caveats=(
            _AT,
            "Who is silent for 120 days is on the list no more: that is no risk, it has happened.",
            "A reaction is a sign of life; reading is not published.",
        ),
        reference="Savannah: members at risk",
    ),
)

RELATIONS: tuple[Relation, ...] = (
    Relation(
        "community_today",
        "The local date of every community at the watermark: the day that is going on, as far as the facts have come.",
        {"today": "Local date; days before it are over"},
    ),
    Relation(
        "engaged_members_at",
        "Members engaged in a number of days that end with that of a moment, with role, stage and busiest platform.",
        {},
    ),
    Relation("community_today_at", "The local date of every community at a moment.", {}),
)
