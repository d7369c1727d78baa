"""Activity per community: events and the exact set of members, by family, platform and actor kind."""

from streams.aggregates.aggregate import Aggregate
from streams.communities.settings import Part

KEYS = ("community_id", "start", "family", "platform", "actor_kind")
MEASURES = ("events", "members")
SETS = frozenset({"members"})
# Who hosts which ritual makes a family of its own.
SETTINGS: frozenset[Part] = frozenset({"rituals"})

MINUTE = Aggregate("activity_minute", "minute", KEYS, MEASURES, "activity.sql", sets=SETS, settings=SETTINGS)
HOUR = Aggregate(
    "activity_hour", "hour", KEYS, MEASURES, "activity.sql", MINUTE, "activity.merge.sql", SETS, settings=SETTINGS
)
DAY = Aggregate(
    "activity_day", "day", KEYS, MEASURES, "activity.sql", HOUR, "activity.merge.sql", SETS, settings=SETTINGS
)
