"""How long analysts wait: every view asked as a panel of a dashboard asks it, and a few for all communities."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import median

from streams.clickhouse import Warehouse

RUNS = 7
QUICK_MS = 300
"""What a panel of a dashboard may take."""
MERGED_AFTER_S = 300.0

BY_DAY = "AND day > toDate('{day}') - 90 ORDER BY day"
BY_WEEK = "AND week > toDate('{day}') - 365 ORDER BY week"
BY_MONTH = "AND month > toDate('{day}') - 730 ORDER BY month"
ALL_ROWS = ""
TABLE = "LIMIT 1000"

PANELS: Mapping[str, str] = {
    # activity
    "activity_minute": "AND start >= toDateTime('{end}', 'UTC') - 86400 ORDER BY start",
    "activity_hour": "AND start >= toDateTime('{end}', 'UTC') - 28 * 86400 ORDER BY start",
    "activity_day": "AND start >= toDateTime('{end}', 'UTC') - 90 * 86400 ORDER BY start",
    "activity_minute_by_segment": "AND start >= toDateTime('{end}', 'UTC') - 86400 ORDER BY start",
    "activity_hour_by_segment": "AND start >= toDateTime('{end}', 'UTC') - 28 * 86400 ORDER BY start",
    "activity_day_by_segment": "AND start >= toDateTime('{end}', 'UTC') - 90 * 86400 ORDER BY start",
    "activity_rolling": ALL_ROWS,
    "activity_rolling_at(at = '{end}')": ALL_ROWS,
    "activity_rolling_by_segment": ALL_ROWS,
    "activity_rolling_by_segment_at(at = '{end}')": ALL_ROWS,
    # members
    "presence_day": BY_DAY,
    "active_members": BY_DAY,
    "lifecycle_day": BY_DAY,
    "lifecycle_week": BY_WEEK,
    "retention_week": "ORDER BY cohort_by, cohort_week, week",
    "active_days": ALL_ROWS,
    "active_days_at(at = '{end}')": ALL_ROWS,
    "absence_factor": ALL_ROWS,
    "absence_factor_at(at = '{end}', days = 90)": ALL_ROWS,
    "absence_factor_month": BY_MONTH,
    "breadth": ALL_ROWS,
    "breadth_at(at = '{end}', days = 28)": ALL_ROWS,
    "engaged_by_segment": ALL_ROWS,
    "engaged_by_segment_at(at = '{end}', days = 28)": ALL_ROWS,
    "engaged_members_at(at = '{end}', days = 28)": TABLE,
    "burstiness": ALL_ROWS,
    "burstiness_at(at = '{end}', days = 28)": ALL_ROWS,
    "member_burstiness": TABLE,
    "member_burstiness_at(at = '{end}', days = 28)": TABLE,
    "members_at_risk": f"ORDER BY rank {TABLE}",
    "members_at_risk_at(at = '{end}')": f"ORDER BY rank {TABLE}",
    "member_day": "AND start >= toDateTime('{end}', 'UTC') - 7 * 86400 ORDER BY events DESC LIMIT 1000",
    "member_activity": "AND day > toDate('{day}') - 7 ORDER BY events DESC LIMIT 1000",
    # ties
    "tie_pairs_at(at = '{end}')": f"ORDER BY forth_strength + back_strength DESC {TABLE}",
    "ties": f"ORDER BY strength DESC {TABLE}",
    "ties_at(at = '{end}')": f"ORDER BY strength DESC {TABLE}",
    "reach": f"ORDER BY reach DESC {TABLE}",
    "reach_at(at = '{end}')": f"ORDER BY reach DESC {TABLE}",
    "network": ALL_ROWS,
    "network_at(at = '{end}')": ALL_ROWS,
    "newcomer_ties": f"ORDER BY day DESC {TABLE}",
    "newcomer_ties_at(at = '{end}')": f"ORDER BY day DESC {TABLE}",
    "newcomer_ties_week": BY_WEEK,
    "first_response": f"AND day > toDate('{{day}}') - 90 ORDER BY asked_at DESC {TABLE}",
    "first_response_at(at = '{end}')": f"AND day > toDate('{{day}}') - 90 ORDER BY asked_at DESC {TABLE}",
    "first_response_day": BY_DAY,
    "first_response_week": BY_WEEK,
    # the ladder and streaks
    "ladder_history": f"ORDER BY since DESC {TABLE}",
    "ladder_at(at = '{day}')": f"ORDER BY rank DESC {TABLE}",
    "ladder_member_week": f"AND week > toDate('{{day}}') - 14 {TABLE}",
    "ladder_flow": BY_WEEK,
    "ladder_steps": BY_WEEK,
    "ladder_dwell": ALL_ROWS,
    "ladder_week": BY_WEEK,
    "gravity": BY_WEEK,
    "streaks": f"ORDER BY days DESC {TABLE}",
    "streaks_week": f"ORDER BY weeks DESC {TABLE}",
    "streak_days": f"AND day > toDate('{{day}}') - 90 {TABLE}",
    # rituals
    "attendance_hour": BY_DAY,
    "inferred_rituals": BY_MONTH,
    "ritual_check_ins": f"{BY_DAY} {TABLE}",
    "ritual_roll": f"{BY_DAY} {TABLE}",
    "ritual_attendance": f"{BY_DAY} {TABLE}",
    "ritual_occurrences": BY_DAY,
    "ritual_hosts": ALL_ROWS,
    "streaks_ritual": f"ORDER BY occurrences DESC {TABLE}",
    # values and belonging
    "signs": f"{BY_DAY} {TABLE}",
    "shared_values": BY_MONTH,
    "thanks": f"ORDER BY month DESC {TABLE}",
    "belonging_gains": BY_MONTH,
    "give_and_receive": f"ORDER BY month DESC, given DESC {TABLE}",
    "belonging_components": BY_MONTH,
    "belonging_index": BY_MONTH,
    # facts, settings, corrections
    "events": "AND minute >= toDateTime('{end}', 'UTC') - 3600 ORDER BY event_time DESC LIMIT 100",
    "communities": ALL_ROWS,
    "community_today": ALL_ROWS,
    "community_today_at(at = '{end}')": ALL_ROWS,
    "community_offsets": ALL_ROWS,
    "community_settings_history": ALL_ROWS,
    "declared_rituals": ALL_ROWS,
    "value_terms": ALL_ROWS,
    "value_acts": ALL_ROWS,
    "ladder_levels": ALL_ROWS,
    "streak_rules": ALL_ROWS,
    "holidays": ALL_ROWS,
    "linked_accounts": TABLE,
    "member_standing": TABLE,
    "hidden_events": TABLE,
    "dead_letters": TABLE,
}
"""View -> which rows of one community a panel shows: its time range, or a table's first page."""

WHOLE: Mapping[str, str] = {
    "pipeline_freshness": "SELECT * FROM {db}.pipeline_freshness",
    "pipeline_watermark": "SELECT * FROM {db}.pipeline_watermark",
    "every community, rolling 5 min to 28 days: `activity_rolling_at`": (
        "SELECT * FROM {db}.activity_rolling_at(at = '{end}')"
    ),
    "every community, last day: `activity_day`": (
        "SELECT * FROM {db}.activity_day WHERE start >= toDateTime('{end}', 'UTC') - 2 * 86400"
    ),
    "every community, last hour by minute: `activity_minute`": (
        "SELECT * FROM {db}.activity_minute WHERE start >= toDateTime('{end}', 'UTC') - 3600"
    ),
}
"""What is asked of all communities together."""


@dataclass(frozen=True)
class Latency:
    """One question of one community (empty: of all), how many rows answered it, and how long that took."""

    question: str
    community: str
    rows: int
    median_ms: float
    worst_ms: float


def view_of(question: str) -> str:
    """Name of the view that a key of PANELS asks."""
    return question.partition("(")[0]


def questions(communities: Mapping[str, str], end: str) -> Iterator[tuple[str, str, str]]:
    """(question, whose, SQL) of every panel for each community (whose -> id), then of all; `end` as DateTime text."""
    for panel, rows in PANELS.items():
        for whose, community in communities.items():
            sql = f"SELECT * FROM {{db}}.{panel} WHERE community_id = '{community}' {rows}"
            yield panel, whose, filled(sql, end)
    for question, sql in WHOLE.items():
        yield question, "", filled(sql, end)


def filled(sql: str, end: str) -> str:
    """SQL with the moment filled in, and its date."""
    return sql.replace("{end}", end).replace("{day}", end[:10])


def merge_quiet(warehouse: Warehouse) -> None:
    """Let the warehouse merge each partition whole, as it does when nothing came for ten minutes, without the wait."""
    quiet = "engine_full LIKE '%min_age_to_force_merge_on_partition_only = 1%'"
    tables = warehouse.rows(f"SELECT name FROM system.tables WHERE database = '{{store}}' AND {quiet}")
    assert tables
    for (table,) in tables:
        warehouse.command(f"ALTER TABLE {{store}}.{table} MODIFY SETTING min_age_to_force_merge_seconds = 1")
    names = ", ".join(f"'{table}'" for (table,) in tables)
    several = (
        "SELECT table FROM system.parts WHERE active AND database = '{store}' "
        f"AND table IN ({names}) GROUP BY table, partition HAVING count() > 1"
    )
    deadline = time.monotonic() + MERGED_AFTER_S
    while left := warehouse.rows(several):
        if time.monotonic() > deadline:
            raise TimeoutError(f"not merged after {MERGED_AFTER_S:.0f} s: {left}")
        time.sleep(1)


def measure(warehouse: Warehouse) -> list[Latency]:
    """Ask every question several times; the first time is not counted."""
    [(end,)] = warehouse.rows("SELECT toString(toStartOfSecond(max(event_time))) FROM {db}.events")
    sizes = warehouse.rows("SELECT community_id FROM {db}.activity_day GROUP BY community_id ORDER BY sum(events) DESC")
    chosen = {"busiest": sizes[0][0], "median": sizes[len(sizes) // 2][0]}
    found = []
    for question, whose, sql in questions(chosen, re.sub(r"\..*", "", end)):
        took = []
        for _ in range(RUNS + 1):
            started = time.monotonic()
            rows = warehouse.rows(sql)
            took.append((time.monotonic() - started) * 1000)
        found.append(Latency(question, whose, len(rows), median(took[1:]), max(took[1:])))
    return found
