"""The facts, members by day, and the state of the pipeline: views without a metric of their own."""

from __future__ import annotations

from streams.catalog.metric import Relation

RELATIONS: tuple[Relation, ...] = (
    Relation(
        "pipeline_freshness",
        "How far the pipeline has come, a row a partition of a topic.",
        {
            "topic": "Kafka topic",
            "partition": "Partition of the topic",
            "watermark": "Nothing older is expected from this partition",
            "offset": "Offset of the next record to store",
            "lag": "Records that wait to be stored",
            "updated_at": "When this was last heard of",
            "overall": "Watermark over all partitions that have something left to read",
        },
    ),
    Relation(
        "pipeline_watermark",
        "The watermark over all partitions: one row.",
        {
            "watermark": "Nothing older than this is expected from any platform",
            "updated_at": "When this was last heard of",
            "lag": "Records that wait to be stored, over all partitions",
        },
    ),
    Relation(
        "member_day",
        "Events of a member by day, family and platform: every kind of actor.",
        {
            "events": "Events of the member",
            "first_at": "First event of the day, event time",
            "last_at": "Last event of the day, event time",
        },
    ),
    Relation(
        "member_activity",
        "What a counted member did on a day, by family and platform: the base of every number about members.",
        {
            "events": "Events of the member",
            "first_at": "First event of the day, event time",
            "last_at": "Last event of the day, event time",
            "engaged": "1 when the family counts as taking part",
            "contributing": "1 when the family counts as giving something",
        },
    ),
    Relation(
        "dead_letters",
        "Records that could not become facts, a row a record; see streams dlq.",
        {
            "key": "Key of the record as text",
            "value": "Value of the record as text, cut after 4,096 bytes",
            "value_bytes": "Length of the value in bytes",
            "headers": "Names and values of the record headers",
        },
    ),
    Relation(
        "events",
        "The facts, a row an event; corrections applied.",
        {
            "account_id": "Account that acted, as its platform names it",
            "member_id": "The person who acted: linked accounts are one",
            "actor_kind": "human, bot, staff or test, as moderation says or else as published",
        },
    ),
    Relation(
        "linked_accounts",
        "Accounts that are linked, and the person each belongs to. Any other account is a member of its own.",
        {"platform": "Platform of the account", "account_id": "Account, as its platform names it"},
    ),
    Relation(
        "member_standing",
        "What moderation says of members; nothing is said of most.",
        {
            "actor_kind": "Kind of actor all events of the member count as; empty: as published",
            "hidden": "1 when no event of the member counts",
            "erased": "1 when that is for ever: they have an account that was the member's who was erased",
        },
    ),
    Relation(
        "hidden_events",
        "Events that do not count because they are hidden or erased.",
        {"event_id": "Publisher's id of the event", "erased": "1 when it cannot be restored"},
    ),
)
