"""Tables and materialised views that add activity up while it is inserted: the usual way, wrong after a retry."""

from __future__ import annotations

from benchmarks.bench import ACTIVITY
from streams.aggregates import Aggregate
from streams.aggregates.aggregate import bucket_expression
from streams.clickhouse import Warehouse

EVENTS = "{store}.stock_events"


def create(warehouse: Warehouse) -> None:
    """An events table with the columns of ours, and for each of our aggregates a table that a view adds to."""
    warehouse.command(f"CREATE TABLE {EVENTS} AS {{store}}.events")
    for aggregate in ACTIVITY:
        table = table_of(aggregate)
        if "member_id" in aggregate.keys:
            measures = {
                "events": ("SimpleAggregateFunction(sum, UInt64)", "count()"),
                "first_at": ("SimpleAggregateFunction(min, DateTime64(3, 'UTC'))", "min(event_time)"),
                "last_at": ("SimpleAggregateFunction(max, DateTime64(3, 'UTC'))", "max(event_time)"),
            }
        else:
            measures = {
                "events": ("SimpleAggregateFunction(sum, UInt64)", "count()"),
                "members": ("AggregateFunction(uniqExact, String)", "uniqExactState(member_id)"),
            }
        types = {
            "community_id": "LowCardinality(String)",
            "start": "DateTime('UTC')",
            "member_id": "String",
            "family": "LowCardinality(String)",
            "platform": "LowCardinality(String)",
            "actor_kind": "LowCardinality(String)",
        }
        columns = [f"{key} {types[key]}" for key in aggregate.keys]
        columns += [f"{name} {kind}" for name, (kind, _) in measures.items()]
        warehouse.command(
            f"CREATE TABLE {table} ({', '.join(columns)}) ENGINE = AggregatingMergeTree "
            f"PARTITION BY toYear(start) ORDER BY ({', '.join(aggregate.keys)})"
        )
        sources = {"start": bucket_expression(aggregate.grain, "minute"), "family": "type"}
        selected = [f"{sources.get(key, key)} AS {key}" for key in aggregate.keys]
        selected += [f"{expression} AS {name}" for name, (_, expression) in measures.items()]
        select = f"SELECT {', '.join(selected)} FROM {EVENTS} GROUP BY ALL"
        warehouse.command(f"CREATE MATERIALIZED VIEW {table}_view TO {table} AS {select}")


def table_of(aggregate: Aggregate) -> str:
    """Where the view of an aggregate adds to."""
    return f"{{store}}.stock_{aggregate.name}"
