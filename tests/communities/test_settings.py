"""A settings file is taken as it is meant, or refused with the path, the line and the reason of each fault."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from pipeline import Lab

from streams.communities.file import SettingsFault, parse, read
from streams.communities.rows import TABLES
from streams.communities.settings import (
    BUILT_IN,
    PARTS,
    Acts,
    Community,
    CommunitySettings,
    Level,
    Ritual,
    Streaks,
    Value,
)

FULL = """
defaults:
  zone: Europe/Berlin
communities:
  tea-house:
    name: 茶屋
    zone: Asia/Shanghai
    since: 2025-03-01
    rituals:
      晨读:
        every: week
        weekdays: [monday, friday]
        at: 07:05
        host_id: 0042
      closing: {every: month, month_day: 28, at: 20:30, duration_minutes: 90, title: Closing}
      tea: {every: day, at: 0:00}
    values:
      slow:
        terms: [慢, take your time, no]
        acts: {rituals: [晨读], products: [base-1], places: [on]}
    ladder:
      - {level: guest, weight: 0}
      - {level: friend, weight: 2.5, window_days: 7, min_active_days: 2}
    streaks: {freeze_days: 0}
    holidays:
      2026-02-17: 春节
  quiet:
"""


def test_a_full_file_is_taken_as_it_is_meant() -> None:
    settings = parse(FULL, "full.yml")
    tea = settings.communities["tea-house"]
    assert ("茶屋", "Asia/Shanghai", date(2025, 3, 1)) == (tea.name, tea.zone, tea.since)
    assert [425, 1230, 0] == [ritual.at for ritual in tea.rituals.values()]
    # What YAML would take for a number or for a boolean is what was written.
    assert "0042" == tea.rituals["晨读"].host_id
    assert ("no", ("on",)) == (tea.values["slow"].terms[2], tea.values["slow"].acts.places)
    assert {date(2026, 2, 17): "春节"} == tea.holidays
    assert Streaks(grace_hours=3, freeze_days=0) == tea.streaks
    assert ["guest", "friend"] == [level.level for level in tea.ladder or ()]
    assert Community() == settings.communities["quiet"]


def test_the_stored_text_of_settings_says_all_of_them() -> None:
    for community in parse(FULL, "full.yml").all.values():
        assert community == Community.model_validate_json(community.stated)


def test_the_example_is_good_and_shows_every_setting() -> None:
    example = read(Path(__file__).parents[2] / "examples" / "communities.yml")
    parts = [community.parts for community in example.all.values()]
    assert set(PARTS) == {part for part in PARTS for said in parts if said[part] != Community().parts[part]}
    text = (Path(__file__).parents[2] / "examples" / "communities.yml").read_text()
    unshown = {
        name
        for model in (CommunitySettings, Community, Ritual, Value, Acts, Level, Streaks)
        for name in model.model_fields
        if f"{name}:" not in text
    }
    assert set() == unshown


def test_an_empty_file_sets_what_is_built_in() -> None:
    assert CommunitySettings() == parse("", "empty.yml") == parse("# nothing\n", "empty.yml")
    assert {"": BUILT_IN} == parse("", "empty.yml").all


def test_defaults_keep_what_is_built_in_where_they_say_nothing() -> None:
    defaults = parse("defaults: {zone: Asia/Tokyo}", "f.yml").all[""]
    assert ("Asia/Tokyo", BUILT_IN.ladder) == (defaults.zone, defaults.ladder)


def test_every_part_tells_a_change() -> None:
    tea = parse(FULL, "full.yml").communities["tea-house"]
    assert set(PARTS) == {part for part in PARTS if tea.parts[part] != Community().parts[part]}


LADDER = "defaults: {ladder: [{level: a, weight: 0%s}, {level: %s, weight: 1%s}]}"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("communities: [", "line 1: expected the node content"),
        ("communities:\n  a: {}\n  a: {}", "line 3: 'a' is there twice"),
        ("- 1", "line 1: the file: "),
        ("community: {}", "line 1: community: there is no such setting, did you mean communities?"),
        ("communities:\n  tea:\n    zones: x", "line 3: communities.tea.zones: there is no such setting, did you mean"),
        ("communities:\n  tea:\n    q: 1", "communities.tea.q: there is no such setting, only name, zone, since"),
        ("communities:\n  '': {}", "line 2: communities.: "),
        ("communities:\n  tea:\n    zone: Asia/Shangai", "line 3: communities.tea.zone: there is no zone"),
        ("defaults:\n  zone: Asia/Shangai", "did you mean Asia/Shanghai?"),
        ("defaults: {rituals: {r: {every: day, at: '24:00'}}}", "'24:00' is no time of the day; write it as 20:30"),
        ("defaults: {rituals: {r: {every: week, at: 1:00}}}", "`every: week` and `weekdays` belong together"),
        (
            "defaults: {rituals: {r: {every: day, at: 1:00, weekdays: [monday]}}}",
            "`every: week` and `weekdays` belong together",
        ),
        ("defaults: {streaks: {grace_hours: 13}}", "defaults.streaks.grace_hours: "),
        ("defaults: {streaks: {freeze_days: 31}}", "defaults.streaks.freeze_days: "),
        ("defaults: {rituals: {r: {every: day, at: 1:00, month_day: 3}}}", "`every: month` and `month_day` belong"),
        ("defaults: {rituals: {r: {every: month, at: 1:00, month_day: 31}}}", "less than or equal to 28, got '31'"),
        ("defaults: {values: {v: {terms: [a, a]}}}", "'a' is there twice"),
        ("defaults: {ladder: [{level: a, weight: 0}]}", "at least 2"),
        (LADDER % (", min_contributions: 1", "b", ""), "the first level, 'a', must ask for nothing"),
        (LADDER % ("", "a", ""), "'a' is there twice"),
        (LADDER % ("", "b", ", min_active_days: 2"), "2 active days cannot be in a window of 1 days"),
        ("defaults: {holidays: {tomorrow: x}}", "line 1: defaults.holidays.tomorrow: "),
        ("defaults: {since: 2026-13-01}", "defaults.since: "),
    ],
)
def test_a_fault_is_told_with_its_path_its_line_and_the_reason(text: str, why: str) -> None:
    with pytest.raises(SettingsFault) as raised:
        parse(text, "bad.yml")
    assert raised.value.what.startswith("bad.yml is not valid")
    assert why in raised.value.why
    assert "correct it, then: streams communities check bad.yml" == raised.value.next


def test_several_faults_are_told_at_once_and_too_many_are_counted() -> None:
    with pytest.raises(SettingsFault) as raised:
        parse("communities:\n" + "".join(f"  c{i}: {{zone: Nowhere}}\n" for i in range(15)), "bad.yml")
    told = [line.strip() for line in raised.value.why.splitlines()]
    assert [f"line {i + 2}" for i in range(10)] == [line.split(":")[0] for line in told[:-1]]
    assert "and 5 more" == told[-1]


@pytest.mark.connected
def test_what_a_new_warehouse_holds_is_what_is_built_in(lab: Lab) -> None:
    for table in TABLES:
        columns = [*table.keys, *table.rest]
        stored = lab.warehouse.rows(f"SELECT {', '.join(columns)} FROM {{store}}.{table.name} FINAL WHERE version = 0")
        assert sorted(table.rows({"": BUILT_IN})) == sorted(map(plain, stored)), table.name


def plain(row: tuple[object, ...]) -> tuple[object, ...]:
    """Moments as epoch seconds."""
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return tuple(int((value - epoch).total_seconds()) if isinstance(value, datetime) else value for value in row)


@pytest.mark.connected
def test_a_community_has_its_own_settings_or_the_defaults(lab: Lab) -> None:
    own = lab.world() + "tea"
    lab.warehouse.command(
        "INSERT INTO {store}.communities (community_id, zone, version) VALUES ({own:String}, 'Asia/Tokyo', 1), "
        "({other:String}, '', 1)",
        {"own": own, "other": own + "-2"},
    )
    lab.warehouse.command(
        "INSERT INTO {store}.ladder_levels (community_id, level, rank, version) VALUES ({own:String}, 'all', 1, 1)",
        {"own": own},
    )

    def shown(what: str, view: str) -> list[object]:
        chosen = "WHERE startsWith(community_id, {own:String}) GROUP BY community_id ORDER BY community_id"
        sql = f"SELECT {what} FROM {{db}}.{view} {chosen}"
        return [value for (value,) in lab.warehouse.rows(sql, {"own": own})]

    assert ["Asia/Tokyo", "UTC"] == shown("any(zone)", "communities")
    assert [own, own + "-2"] == shown("any(name)", "communities")
    assert [["all"], sorted(level.level for level in BUILT_IN.ladder or ())] == shown(
        "arraySort(groupArray(level))", "ladder_levels"
    )
    assert [[0]] == shown("groupArray(offset_s)", "community_offsets")
