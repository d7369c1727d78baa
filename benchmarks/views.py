"""How long analysts wait: the views of the database, asked as an analyst asks them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from statistics import median

from streams.clickhouse import Warehouse

RUNS = 15


@dataclass(frozen=True)
class Latency:
    """One question, how many rows answered it, and how long that took."""

    question: str
    rows: int
    median_ms: float
    worst_ms: float


QUESTIONS = {
    "every community, rolling 5 min to 28 days: `activity_rolling_at`": (
        "SELECT * FROM {db}.activity_rolling_at(at = '{end}')"
    ),
    "one community, the same": (
        "SELECT * FROM {db}.activity_rolling_at(at = '{end}') WHERE community_id = '{community}'"
    ),
    "every community by platform and family: `activity_rolling_by_segment_at`": (
        "SELECT * FROM {db}.activity_rolling_by_segment_at(at = '{end}')"
    ),
    "every community, every day: `activity_day`": "SELECT * FROM {db}.activity_day",
    "one community, every hour: `activity_hour`": (
        "SELECT * FROM {db}.activity_hour WHERE community_id = '{community}' ORDER BY start"
    ),
    "one community, last 24 h by minute: `activity_minute`": (
        "SELECT * FROM {db}.activity_minute WHERE community_id = '{community}' "
        "AND start >= toDateTime('{end}', 'UTC') - 86400 ORDER BY start"
    ),
    "every community, last hour by minute: `activity_minute`": (
        "SELECT * FROM {db}.activity_minute WHERE start >= toDateTime('{end}', 'UTC') - 3600"
    ),
    "the 20 busiest members of a community: `member_day`": (
        "SELECT member_id, sum(events) AS n FROM {db}.member_day WHERE community_id = '{community}' "
        "GROUP BY member_id ORDER BY n DESC LIMIT 20"
    ),
    "the last 100 messages of a community: `events`": (
        "SELECT event_time, member_id, text FROM {db}.events WHERE community_id = '{community}' AND type = 'message' "
        "AND minute >= toDateTime('{end}', 'UTC') - 3600 ORDER BY event_time DESC LIMIT 100"
    ),
    "one community, three months: `presence_day`": (
        "SELECT * FROM {db}.presence_day WHERE community_id = '{community}' AND day > toDate('{day}') - 92 ORDER BY day"
    ),
    "the same: `active_members`": (
        "SELECT * FROM {db}.active_members WHERE community_id = '{community}' AND day > toDate('{day}') - 92 "
        "ORDER BY day"
    ),
    "the same: `lifecycle_day`": (
        "SELECT * FROM {db}.lifecycle_day WHERE community_id = '{community}' AND day > toDate('{day}') - 92 "
        "ORDER BY day"
    ),
    "one community: `retention_week`": (
        "SELECT * FROM {db}.retention_week WHERE community_id = '{community}' ORDER BY cohort_by, cohort_week, week"
    ),
    "one community: `active_days`": "SELECT * FROM {db}.active_days WHERE community_id = '{community}'",
    "one community: `absence_factor_month`": (
        "SELECT * FROM {db}.absence_factor_month WHERE community_id = '{community}' ORDER BY month"
    ),
    "one community: `breadth`": "SELECT * FROM {db}.breadth WHERE community_id = '{community}'",
    "one community: `burstiness`": "SELECT * FROM {db}.burstiness WHERE community_id = '{community}'",
    "one community: `members_at_risk`": "SELECT * FROM {db}.members_at_risk WHERE community_id = '{community}'",
    "how fresh: `pipeline_freshness`": "SELECT * FROM {db}.pipeline_freshness",
}


def measure(warehouse: Warehouse) -> list[Latency]:
    """Ask every question several times; the first time is not counted."""
    [(end,)] = warehouse.rows("SELECT toString(toStartOfSecond(max(event_time))) FROM {db}.events")
    [(community,)] = warehouse.rows(
        "SELECT community_id FROM {db}.activity_day GROUP BY community_id ORDER BY sum(events) DESC LIMIT 1"
    )
    found = []
    for question, sql in QUESTIONS.items():
        text = sql.replace("{end}", end[:19]).replace("{day}", end[:10]).replace("{community}", community)
        took = []
        for _ in range(RUNS + 1):
            started = time.monotonic()
            rows = warehouse.rows(text)
            took.append((time.monotonic() - started) * 1000)
        found.append(Latency(question, len(rows), median(took[1:]), max(took[1:])))
    return found
