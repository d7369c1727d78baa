"""Belonging: what a community holds dear, what its members gain from it, and one index whose parts are all shown."""

from __future__ import annotations

from streams.catalog.metric import Metric, Relation

_MONTH = "First day of the month, in the zone of the community"

METRICS: tuple[Metric, ...] = (
    Metric(
        name="shared_values",
        title="Shared values",
        words="How much a community speaks of what it holds dear, and whether whoever speaks of it also acts on it.",
        formula=(
            "A message speaks of a value when it holds one of the terms that the settings list for it: as whole words, "
            "whatever the case, or anywhere in scripts without spaces. Acting on a value is a check-in at a ritual or "
            "place, or an order or review of a product, that the settings list for it; orders that were cancelled or "
            "refunded do not count as such a step. `talk_to_act` = members who spoke of it in the month and acted on "
            "it between their first word of the month and 28 days later / `talkers`."
        ),
        unit="share",
        grain="community, month, value",
        view="shared_values",
        columns={
            "month": _MONTH,
            "value": "Name of the value",
            "messages": "Messages that speak of it",
            "talk_share": "Share of them among all messages of the month",
            "talkers": "Members who spoke of it",
            "actors": "Members who acted on it in the month, whether or not they spoke of it",
            "talked_then_acted": "Members who spoke of it and acted on it within 28 days",
            "talk_to_act": "Share of the talkers who acted",
        },
        caveats=(
            "Words are taken at their face: irony and denial count.",
            "The last 28 days may still bring the act that a word announced.",
            "Texts are forgotten 400 days after they were stored: an hour that is restated later loses its talk.",
            "Changing the terms restates everything; changing the acts is seen at once.",
        ),
        reference="ours: values shown as action",
    ),
    Metric(
        name="belonging_gains",
        title="Gains of belonging",
        words=(
            "What members get from belonging: support when they ask for it, answers to questions, and the benefit "
            "of buying together."
        ),
        formula=(
            "Messages that begin a thread and hold a word of distress or a plea for help ask for support; those with a "
            "question mark or a question word ask for knowledge; both may be true. Answered: another counted member "
            "replied within 24 hours. Thanks: messages with a word of thanks. Group buys: distinct orders of the kind "
            "group_buy with a step paid or fulfilled."
        ),
        unit="share",
        grain="community, month",
        view="belonging_gains",
        columns={
            "month": _MONTH,
            "support_asked": "Messages that ask for support",
            "support_answered": "Of these, answered within 24 hours",
            "support_share": "Share of them that was answered",
            "knowledge_asked": "Messages that put a question",
            "knowledge_answered": "Of these, answered within 24 hours",
            "knowledge_share": "Share of them that was answered",
            "thanks": "Messages that thank",
            "thankful_members": "Members who thanked",
            "thanked_members": "Members who were thanked, where the message says whom: see `thanks`",
            "group_buys": "Orders paid together",
            "group_buyers": "Members who paid one",
        },
        caveats=(
            "English and Chinese words only.",
            "An answer is a reply that names the message; platforms without replies show none.",
            "Messages of the last 24 hours may still be answered.",
        ),
        reference="ours: the three sources of belonging; CHAOSS Time to First Response for what an answer is",
    ),
    Metric(
        name="thanks",
        title="Thanks",
        words="Who thanked whom.",
        formula=(
            "Messages with a word of thanks that answer something the other published, or mention the other; one that "
            "does both, or mentions several, thanks each of them once."
        ),
        unit="messages",
        grain="community, month, giver, receiver",
        view="thanks",
        columns={
            "month": _MONTH,
            "giver_id": "Member who thanked",
            "receiver_id": "Member who was thanked",
            "thanks": "Messages in which they did",
        },
        caveats=(
            "Thanks that neither answer nor mention anybody have no row; `belonging_gains` counts them.",
            "English and Chinese words only; thanks in advance count.",
            "Whoever is mentioned must have acted as a counted member: nobody says what kind of actor is mentioned.",
            "Two messages of one member at one instant are taken for one.",
        ),
        reference="ours: gratitude as an edge between members",
    ),
    Metric(
        name="give_and_receive",
        title="Giving and receiving",
        words="Who answers others and who is answered: the balance of each member.",
        formula="Balance = (`given` - `received`) / (`given` + `received`), of replies between counted members.",
        unit="ratio",
        grain="community, month, member",
        view="give_and_receive",
        columns={
            "month": _MONTH,
            "given": "Replies of the member to messages of others",
            "received": "Replies of others to messages of the member",
            "balance": "1 for a member who only gives, -1 for one who only receives",
        },
        caveats=("Members without a reply on either side have no row.",),
        reference="ours",
    ),
    Metric(
        name="belonging_index",
        title="Belonging index",
        words="Whether members belong more or less than they used to: six parts, each measured against its own past.",
        formula=(
            "Mean of the percentiles of the parts a community has, each of equal weight. A percentile is the share of "
            "the complete months so far, this one included, in which the part was lower, and half of those in which it "
            "was the same. Parts: returning = engaged members who were engaged in the month before / engaged members; "
            "contributing = contributing / engaged members; turnout and habit = means of `turnout` and `habit_rate` "
            "over the occurrences of rituals; answered = pleas and questions answered within 24 hours / all; "
            "talk_to_act = members who spoke of a value and acted on it / members who spoke of one."
        ),
        unit="percentile",
        grain="community, month",
        view="belonging_index",
        columns={
            "month": _MONTH,
            "belonging": "Mean of the percentiles, 0 to 1; 0.5 is a month like any other",
            "components": "How many parts there were",
            "returning": "Percentile of this part; NULL when the community does not have it",
            "contributing": "Percentile of this part",
            "turnout": "Percentile of this part",
            "habit": "Percentile of this part",
            "answered": "Percentile of this part",
            "talk_to_act": "Percentile of this part",
        },
        caveats=(
            "It compares a community with itself: two communities must not be compared by it.",
            "A part counts from its sixth month on; when one joins, the mean may jump.",
            "It says that something changed; `belonging_components` says what.",
        ),
        reference="ours: users of LFX and Pontoon first ask how a score is combined, so that nothing is hidden here",
    ),
    Metric(
        name="belonging_components",
        title="Components of the belonging index",
        words="Each part of the belonging index by month, and where it stands in the community's own history.",
        formula="As in the belonging index.",
        unit="share",
        grain="community, month, component",
        view="belonging_components",
        columns={
            "month": _MONTH,
            "component": "returning, contributing, turnout, habit, answered or talk_to_act",
            "value": "The part itself, a share",
            "months": "Months so far that have the part",
            "percentile": "Where it stands among them, 0 to 1; NULL before the sixth",
        },
        caveats=("Complete months only.",),
        reference="ours",
    ),
)

RELATIONS: tuple[Relation, ...] = (
    Relation(
        "signs",
        "What members' events speak of, ask for, thank for, attend and buy, by local day.",
        {
            "kind": "value, support, question, thanks, ritual, place, product, group_buy, role or stage",
            "ref": "Value, role or stage; event_id of what asks; ritual, place or product; order_id of a group buy",
            "events": "Events with the sign",
            "first_at": "First of them",
            "last_at": "Last of them",
        },
    ),
)
