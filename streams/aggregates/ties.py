"""Ties: who reached whom, and messages that start something with the replies to them."""

from streams.aggregates.aggregate import Aggregate

KEYS = (
    "community_id",
    "start",
    "kind",
    "member_id",
    "actor_kind",
    "other_id",
    "other_kind",
    "subject_id",
    "subject_at",
)
MEASURES = ("events", "first_at", "last_at")

MINUTE = Aggregate("tie_minute", "minute", KEYS, MEASURES, "ties.sql", deferred=True)
