"""Events per member: who was active when, how often, first and last, by family, platform and actor kind."""

from streams.aggregates.aggregate import Aggregate

KEYS = ("community_id", "start", "member_id", "family", "platform", "actor_kind")
MEASURES = ("events", "first_at", "last_at")

# Who hosts which ritual makes a family of its own.
HOUR = Aggregate("member_hour", "hour", KEYS, MEASURES, "members.sql", settings=frozenset({"rituals"}))
DAY = Aggregate(
    "member_day",
    "day",
    KEYS,
    MEASURES,
    "members.sql",
    HOUR,
    "members.merge.sql",
    local=True,
    settings=frozenset({"zone", "rituals"}),
)
