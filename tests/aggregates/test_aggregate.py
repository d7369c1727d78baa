"""SQL that is built from community names: whatever they are called, the engine reads back what was written."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pipeline import Lab

from streams.aggregates import ALL, SECONDS, Aggregate
from streams.aggregates.aggregate import bucket_expression, in_buckets, in_range, json_literal, recompute_select
from streams.processors.recompute import template

NASTY = [
    "{store}",
    "{db}.events",
    "it's",
    'say "hi"',
    "back\\slash",
    "\\'",
    "\\",
    "line\nfeed",
    "\t\r",
    "👋🏽",
    "曹操",
    "{x:String}",
]
NASTY += ["'; DROP TABLE {store}.events; --", "%s %(a)s", "\u2028", "}", "{{", "?", "$$", "--", "/*", "\x7f", "\\u007b"]

nasty = st.one_of(st.sampled_from(NASTY), st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.lists(nasty, max_size=30))
@example(NASTY)
@pytest.mark.connected
def test_a_literal_is_read_back_by_the_engine_as_it_was_written(lab: Lab, names: list[str]) -> None:
    sql = f"SELECT arrayJoin(JSONExtract({json_literal(names)}, 'Array(String)'))"
    assert names == [name for (name,) in lab.warehouse.rows(sql)]


@given(names=st.lists(nasty), number=st.integers(-(2**53), 2**53))
def test_a_literal_holds_no_brace_that_a_placeholder_could_open(names: list[str], number: int) -> None:
    literal = json_literal([names, number])
    assert "{" not in literal
    assert literal[0] == literal[-1] == "'"
    inner = re.sub(r"\\([\\'])", r"\1", literal[1:-1])
    assert [names, number] == json.loads(inner)
    # No quote inside ends it early.
    assert re.fullmatch(r"'(?:[^'\\]|\\.)*'", literal, re.DOTALL)


@pytest.mark.connected
@pytest.mark.parametrize("stored", SECONDS)
@pytest.mark.parametrize("grain", SECONDS)
def test_buckets_choose_exactly_the_moments_inside_them(lab: Lab, grain: str, stored: str) -> None:
    size = SECONDS[grain]  # type: ignore[index]
    day = 1_710_028_800
    buckets = {name: [day, day + 2 * size] for name in NASTY} | {"other": [day + size]}
    moments = sorted({day + step * size + edge for step in range(-1, 4) for edge in (0, 60, size - 60)})
    predicate = in_buckets(grain, "minute", buckets, stored)  # type: ignore[arg-type]
    rows = lab.warehouse.rows(
        "SELECT community_id, toUnixTimestamp(minute) FROM ("
        f"SELECT arrayJoin(JSONExtract({json_literal([*buckets, 'unheard of'])}, 'Array(String)')) AS community_id, "
        f"toDateTime(arrayJoin({moments}), 'UTC') AS minute) WHERE {predicate}"
    )
    expected = {
        (name, moment)
        for name, starts in buckets.items()
        for start in starts
        for moment in moments
        if start <= moment < start + size
    }
    assert expected == set(rows)
    assert len(expected) == len(rows)


@pytest.mark.connected
def test_a_range_is_half_open_and_may_name_communities(lab: Lab) -> None:
    def chosen(*communities: str) -> list[tuple[str, int]]:
        where = in_range("at", 120, 240, "minute", communities)
        names = json_literal(["it's", "{store}", "b"])
        return lab.warehouse.rows(
            f"SELECT community_id, toUnixTimestamp(at) FROM (SELECT arrayJoin(JSONExtract({names}, 'Array(String)')) "
            f"AS community_id, toDateTime(arrayJoin([60, 120, 180, 240]), 'UTC') AS at) WHERE {where} ORDER BY 1, 2"
        )

    assert [("b", 120), ("b", 180)] == chosen("b")
    assert [("it's", 120), ("it's", 180), ("{store}", 120), ("{store}", 180)] == chosen("{store}", "it's", "nobody")
    assert 6 == len(chosen())


@pytest.mark.connected
def test_a_hundred_thousand_buckets_fit_into_one_statement(lab: Lab) -> None:
    start = 1_710_028_800
    buckets = {f"community {n}": range(start, start + 60 * 100, 60) for n in range(1000)}
    where = in_buckets("minute", "minute", buckets, "minute")
    names = "concat('community ', toString(number))"
    rows = lab.warehouse.rows(
        f"SELECT count() FROM (SELECT {names} AS community_id, toDateTime({start + 60 * 99}, 'UTC') AS minute "
        f"FROM numbers(2000)) WHERE {where}"
    )
    assert [(1000,)] == rows


@pytest.mark.parametrize("aggregate", ALL, ids=lambda aggregate: aggregate.name)
def test_the_statement_of_an_aggregate_has_no_placeholder_of_its_own_left(aggregate: Aggregate) -> None:
    for name, from_facts in ((aggregate.rollup_sql, False), (aggregate.facts_sql, True)):
        sql = recompute_select(template(name), aggregate, "1", from_facts=from_facts)
        assert {"{store}"} == set(re.findall(r"(?<!\\p)\{\w+\}", sql))


@pytest.mark.parametrize("aggregate", ALL, ids=lambda aggregate: aggregate.name)
def test_an_aggregate_comes_after_what_it_is_made_of(aggregate: Aggregate) -> None:
    if aggregate.source is not None:
        assert ALL.index(aggregate.source) < ALL.index(aggregate)
        assert SECONDS[aggregate.source.grain] < SECONDS[aggregate.grain]
        assert (aggregate.keys, aggregate.measures) == (aggregate.source.keys, aggregate.source.measures)
    assert aggregate.sets <= set(aggregate.measures)
    assert ("community_id", "start") == aggregate.keys[:2]


def test_names_of_aggregates_are_unique() -> None:
    assert len(ALL) == len({aggregate.name for aggregate in ALL})


@pytest.mark.parametrize(
    ("grain", "expected"), [("minute", "at"), ("hour", "toStartOfHour(at)"), ("day", "toStartOfDay(at)")]
)
def test_the_bucket_of_a_column(grain: str, expected: str) -> None:
    assert expected == bucket_expression(grain, "at")  # type: ignore[arg-type]


@pytest.mark.connected
@pytest.mark.parametrize("aggregate", ALL, ids=lambda aggregate: aggregate.name)
def test_buckets_are_found_by_what_the_primary_key_begins_with(lab: Lab, aggregate: Aggregate) -> None:
    table = aggregate.source.name if aggregate.source else "events"
    [(key,)] = lab.warehouse.rows(
        f"SELECT primary_key FROM system.tables WHERE database = '{{store}}' AND name = '{table}'"
    )
    where = in_buckets(aggregate.grain, aggregate.time_column, {"tea": [1_710_028_800]}, aggregate.source_grain)
    leading = key.split(",")[0].replace("(start)", f"({aggregate.time_column})")
    assert f"{leading} >= " in where
    assert f"{leading} <= " in where
