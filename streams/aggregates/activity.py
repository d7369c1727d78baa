"""Activity per community: events and the exact set of members, by family, platform and actor kind."""

from streams.aggregates.aggregate import Aggregate

KEYS = ("community_id", "start", "family", "platform", "actor_kind")
MEASURES = ("events", "members")
SETS = frozenset({"members"})

MINUTE = Aggregate("activity_minute", "minute", KEYS, MEASURES, "activity.sql", sets=SETS)
HOUR = Aggregate("activity_hour", "hour", KEYS, MEASURES, "activity.sql", MINUTE, "activity.merge.sql", SETS)
DAY = Aggregate("activity_day", "day", KEYS, MEASURES, "activity.sql", HOUR, "activity.merge.sql", SETS)
