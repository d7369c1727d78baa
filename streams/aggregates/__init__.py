"""What is computed: every aggregate, sources before what is made of them."""

from streams.aggregates import activity, members, signs, ties
from streams.aggregates.aggregate import SECONDS, Aggregate, Buckets, Grain

ALL: tuple[Aggregate, ...] = (
    activity.MINUTE,
    ties.MINUTE,
    activity.HOUR,
    members.HOUR,
    signs.HOUR,
    activity.DAY,
    members.DAY,
)

__all__ = ["ALL", "SECONDS", "Aggregate", "Buckets", "Grain"]
