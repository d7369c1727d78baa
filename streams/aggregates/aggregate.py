"""An aggregate: a table of absolute values by bucket, and the SQL that recomputes a bucket from what it is made of."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from streams.communities.settings import Part

Grain = Literal["minute", "hour", "day"]

SECONDS: Mapping[Grain, int] = {"minute": 60, "hour": 3600, "day": 86400}

LEADING: Mapping[Grain, str] = {"minute": "toStartOfHour", "hour": "toStartOfDay", "day": "toStartOfMonth"}
"""What the primary key of a table begins with, by the grain of its rows: facts are kept by minute."""

Buckets = Mapping[str, Iterable[int]]
"""Community -> bucket starts in epoch seconds."""


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One table of `<database>_store`.

    `facts_sql` names the file under `sql/rollups` that computes a bucket from facts; `merge_sql` the one that computes
    it from `source`, a smaller grain of the same measure. Without `source` it is computed from facts. Both give the
    columns `keys` and `measures` in the table's order; `reconcile` holds one against the other.
    """

    name: str
    grain: Grain
    keys: tuple[str, ...]
    measures: tuple[str, ...]
    facts_sql: str
    source: Aggregate | None = None
    merge_sql: str = ""
    sets: frozenset[str] = frozenset()
    """Measures that are exact sets (states of `uniqExact`): equal when their elements are."""
    local: bool = False
    """Buckets of a day are days in the zone of the community: see `streams.aggregates.local`."""
    settings: frozenset[Part] = frozenset()
    """Parts of a community's settings that its rows depend on: when one changes, all of them are recomputed."""

    of_text: tuple[str, ...] = ()
    """Values of `kind` whose rows are read from texts, which facts forget."""

    deferred: bool = False
    """Recomputed after everything else, and coalesced for longer: dear, and nothing is made of it."""

    @property
    def rollup_sql(self) -> str:
        """The file that the running pipeline recomputes with."""
        return self.merge_sql if self.source else self.facts_sql

    @property
    def source_grain(self) -> Grain:
        """Grain of the rows it is made of."""
        return self.source.grain if self.source else "minute"

    @property
    def time_column(self) -> str:
        """Column of the source that tells its bucket."""
        # Qualified, because a plain `start` may mean the column of the same name that is being computed.
        return "source.start" if self.source else "minute"

    def start_of(self, epoch_s: int) -> int:
        """Start of the bucket that contains a moment, in epoch seconds."""
        return epoch_s - epoch_s % SECONDS[self.grain]


def bucket_expression(grain: Grain, column: str) -> str:
    """SQL for the start of the bucket of a `DateTime('UTC')` column."""
    return column if grain == "minute" else f"toStartOf{grain.capitalize()}({column})"


def recompute_select(
    template: str,
    aggregate: Aggregate,
    where: str,
    communities: Iterable[str] = (),
    *,
    from_facts: bool = False,
    bucket: str = "",
) -> str:
    """The SELECT that recomputes buckets of an aggregate: {db} and {store} are left for the warehouse to fill in.

    `communities` are all that `where` can choose; none means any. `bucket` is the SQL of the bucket's start
    where that is not UTC's.
    """
    column = "minute" if from_facts else aggregate.time_column
    source = aggregate.source.name if aggregate.source else "events"
    return (
        template.replace("{bucket}", bucket or bucket_expression(aggregate.grain, column))
        .replace("{source}", source)
        .replace("{where}", where)
        .replace("{communities}", of_communities(communities))
    )


def in_buckets(grain: Grain, column: str, buckets: Buckets, stored: Grain) -> str:
    """SQL predicate that is true in the given buckets of `grain`, for a table whose rows are of the grain `stored`."""
    low = min(min(starts) for starts in buckets.values() if starts)
    high = max(max(starts) for starts in buckets.values() if starts) + SECONDS[grain]
    return f"{among(bucket_expression(grain, column), buckets)} AND {in_range(column, low, high, stored)}"


def among(start: str, buckets: Buckets) -> str:
    """SQL predicate that is true where `start`, the SQL of a bucket's start, is that of a given bucket.

    The buckets travel as one string literal: a literal per bucket would pass the parser's limit of 50,000 nodes.
    """
    literal = json_literal([[community, list(starts)] for community, starts in buckets.items()])
    return (
        f"(community_id, {start}) IN ("
        "SELECT bucket.1, toDateTime(arrayJoin(bucket.2), 'UTC') FROM ("
        f"SELECT arrayJoin(JSONExtract({literal}, 'Array(Tuple(String, Array(UInt32)))')) AS bucket))"
    )


def in_range(column: str, start: int, end: int, stored: Grain, communities: Iterable[str] = ()) -> str:
    """SQL predicate of a half-open range of epoch seconds, and of some communities when any are given.

    The range is said twice, because the engine does not conclude from a column what the function of it is that the
    primary key begins with: without it every granule of the parts would be read.
    """
    low, high, leading = f"toDateTime({start}, 'UTC')", f"toDateTime({end}, 'UTC')", LEADING[stored]
    clause = (
        f"{column} >= {low} AND {column} < {high} "
        f"AND {leading}({column}) >= {leading}({low}) AND {leading}({column}) <= {leading}({high})"
    )
    names = list(communities)
    return f"{clause} AND {of_communities(names)}" if names else clause


def of_communities(communities: Iterable[str]) -> str:
    """SQL predicate of some communities; none means any."""
    names = list(communities)
    if not names:
        return "1"
    return f"community_id IN (SELECT arrayJoin(JSONExtract({json_literal(names)}, 'Array(String)')))"


def json_literal(value: Any) -> str:
    """A JSON document of lists, numbers and strings as one SQL string literal, free of `{`, which placeholders have."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("{", "\\u007b")
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
