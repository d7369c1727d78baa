"""Ties between members, and how soon members are answered."""

from __future__ import annotations

from streams.catalog.metric import Metric, Relation

METRICS: tuple[Metric, ...] = (
    Metric(
        name="tie_strength",
        title="Tie strength",
        words="How strongly one member is tied to another by what they did towards them.",
        formula=(
            "Sum of 10 for each reply to the other, 5 for each mention, 1 for each reaction (taken back: less 1) and 2 "
            "for each occurrence of a ritual at which both checked in on one day; times 0.9 for every 30 days since "
            "the last of these."
        ),
        unit="strength",
        grain="community, member, other member",
        view="ties",
        also=("ties_at",),
        columns={
            "other_id": "Member whom it reached",
            "replies": "Replies to messages, check-ins or anything else the other published",
            "mentions": "Mentions of the other",
            "reactions": "Reactions to what the other published, less those taken back",
            "occurrences": "Occurrences of rituals at which both checked in",
            "first_at": "First act of the tie, event time",
            "last_at": "Last act of the tie, event time",
            "idle_months": "Whole periods of 30 days since the last act",
            "strength": "Strength of the tie; ties of no strength are not shown",
        },
        caveats=(
            "Directed: what the other did in return is a row of its own.",
            "What answers an event that has not arrived, or that was hidden, ties nobody until it is there.",
            "Whom it reached must have acted as a counted member by then: nobody says what kind of actor is mentioned.",
            "Occurrences are on days of the community; more than 50 members at one are a crowd, which ties nobody.",
            "Knows whole minutes: the one that contains the moment and those before it.",
        ),
        reference="Orbit, reach/measure: the weights and the decay; that a month is 30 days is ours",
    ),
    Metric(
        name="reach",
        title="Reach",
        words="How far a member's ties go: with how many others, and how strong they are together.",
        formula="Sum of the strength of all ties from the member (given) and to the member (received).",
        unit="strength",
        grain="community, member",
        view="reach",
        also=("reach_at",),
        columns={
            "ties": "Other members on a tie in either direction",
            "mutual": "Those of them with a tie in both directions",
            "given": "Strength of the ties from the member",
            "received": "Strength of the ties to the member",
            "reach": "Both together",
        },
        caveats=("Members without a tie have no row.",),
        reference="Orbit, reach/measure",
    ),
    Metric(
        name="network",
        title="Density, reciprocity and absence factor of ties",
        words="How closely a community is tied, how much of it goes both ways, and on how few members it hangs.",
        formula=(
            "Ties that did something in the last 90 times 24 hours. Density: pairs with a tie in any direction, over "
            "n(n-1)/2 for n members. Reciprocity: of ties by reply, mention or reaction, the share whose reverse is "
            "one too. Absence factor: smallest number of members whose reach sums to at least 50 % of all reach."
        ),
        unit="share",
        grain="community",
        view="network",
        also=("network_at",),
        columns={
            "members": "Members who took part in this time, or are on an end of such a tie",
            "pairs": "Pairs of members with a tie in any direction",
            "density": "Share of all possible pairs; NULL with fewer than two members",
            "reciprocity": "Share of acted ties that go both ways; NULL without any",
            "strongest": "Reach of the strongest member, of the two strongest, and so on to all",
            "absence_factor": "Members without whom half of all reach would be gone; 0 without ties",
        },
        caveats=(
            "Having been at one occurrence goes both ways by nature and is left out of reciprocity.",
            "Density falls as a community grows, for nobody can know everybody: compare a community with itself.",
        ),
        reference="Graph theory for density and reciprocity; CHAOSS contributor absence factor, 50 % (LFX uses 51 %)",
    ),
    Metric(
        name="newcomer_ties",
        title="Newcomer ties",
        words="How many others a newcomer was tied to within the first 14 days.",
        formula=(
            "Other members with a tie from or to the newcomer whose first act was less than 14 days after the "
            "newcomer's first engaging event."
        ),
        unit="members",
        grain="community, member",
        view="newcomer_ties",
        also=("newcomer_ties_at",),
        columns={
            "first_engaged_at": "First event in which the member took part",
            "day": "Its date in the zone of the community",
            "week": "Monday of its week",
            "ties": "Other members tied to in the first 14 days",
            "complete": "1 when the 14 days are over",
        },
        caveats=("Whoever read for years before writing counts from the first message.",),
        reference="ours, after Orbit: ties of the first days are what makes a newcomer stay",
    ),
    Metric(
        name="newcomer_ties_by_week",
        title="Newcomer ties by week",
        words="Of those who first took part in a week, how many were tied to anybody within 14 days.",
        formula="Newcomer ties over the newcomers of a week; only weeks whose last newcomer has had 14 days.",
        unit="share",
        grain="community, week",
        view="newcomer_ties_week",
        columns={
            "newcomers": "Members who first took part in the week",
            "connected": "Those with a tie within 14 days",
            "connected_share": "Connected over newcomers",
            "mean_ties": "Other members per newcomer",
        },
        caveats=("Weeks without newcomers have no row.",),
        reference="ours, after Orbit",
    ),
    Metric(
        name="first_response",
        title="Time to first response",
        words="How soon a message that answers no other is answered by somebody else.",
        formula=(
            "Seconds from the message to its first direct reply by another counted member. answered: within 24 hours; "
            "late: after; unanswered: 24 hours have passed without; open: they have not."
        ),
        unit="seconds",
        grain="community, message",
        view="first_response",
        also=("first_response_at",),
        columns={
            "message_id": "Message, the event_id of the fact",
            "member_id": "Member who wrote it",
            "asked_at": "When it was written, event time",
            "day": "Date of the message in the zone of the community",
            "first_reply_at": "First reply by another member; NULL without",
            "seconds": "Seconds from the message to that reply; NULL without",
            "state": "Answered, late, unanswered or open (in lower case)",
        },
        caveats=(
            "A platform that does not say what a message replies to has only unanswered messages.",
            "Any message that is no reply counts, whether it asks for something or not.",
        ),
        reference="CHAOSS Time to First Response",
    ),
    Metric(
        name="responsiveness",
        title="Responsiveness",
        words="How soon members are answered, and how many are not, by the day or week in which they wrote.",
        formula=(
            "Median and 90th percentile of the time to first response over everything that was asked. What has no "
            "reply yet took for ever: it is never left out. A percentile is the value at position n x level, counted "
            "from 0."
        ),
        unit="seconds",
        grain="community, week",
        view="first_response_week",
        also=("first_response_day",),
        columns={
            "asked": "Messages that answer no other",
            "answered": "Those with a first response within 24 hours",
            "late": "Those with a first response after 24 hours",
            "unanswered": "Those without one after 24 hours",
            "open": "Those without one that are younger than 24 hours",
            "p50_s": "Median seconds to the first response; NULL when fewer than that have one",
            "p90_s": "90th percentile of the same",
        },
        caveats=(
            "The last day is still open: its percentiles get better as replies come.",
            "Days and weeks are those of the community.",
        ),
        reference="CHAOSS Time to First Response; right-censored ones count as unanswered",
    ),
)

RELATIONS: tuple[Relation, ...] = (
    Relation(
        "tie_pairs_at",
        "Pairs of members with a tie in either direction at a moment: what ties, reach and the network are made of.",
        {},
    ),
)
