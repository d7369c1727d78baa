"""Signs of belonging: what members' events speak of, ask for, thank for, attend, buy, and say they are."""

from streams.aggregates.aggregate import Aggregate

KEYS = ("community_id", "start", "kind", "ref", "member_id", "actor_kind")
MEASURES = ("events", "first_at", "last_at")

HOUR = Aggregate(
    "sign_hour",
    "hour",
    KEYS,
    MEASURES,
    "signs.sql",
    settings=frozenset({"values", "rituals"}),
    of_text=("value", "support", "question", "thanks"),
    deferred=True,
)
