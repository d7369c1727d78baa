"""Every question of the cookbook is answered as the document says."""

from __future__ import annotations

import json
import os
import re
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import known_answer
import pytest
import reading_circle
from cookbook import DOCUMENT, Recipe, document, recipes
from oracle import Event, event_time, fold
from oracles.belonging import thanks
from oracles.corrections import corrected
from oracles.ladder import ladder, level_on
from oracles.rituals import attendance
from oracles.ties import newcomers
from pipeline import Lab, Log

from streams.cli import main
from streams.communities.file import parse
from streams.communities.rows import TABLES
from streams.sql_files import views

pytestmark = pytest.mark.connected

RECEIVED_MS = int(datetime(2026, 3, 5, tzinfo=UTC).timestamp() * 1000)

Ask = Callable[[str], str]


@pytest.fixture(scope="module")
def told(lab: Lab) -> Lab:
    """Both communities with their settings, and the views as they are when the settings of the pipeline say nothing."""
    for exact, withheld in zip(views(metrics=lab.settings.metrics), views(), strict=True):
        if withheld != exact:
            lab.warehouse.script(withheld[1])
    said = parse(reading_circle.SETTINGS, "reading_circle.py")
    for table in TABLES:
        lab.warehouse.insert(f"{{store}}.{table.name}", table.filled(said.communities, 1))
    log = Log()
    for event in [*reading_circle.EVENTS, *known_answer.EVENTS]:
        key = f"{event['community_id']}/{event['member_id']}".encode()
        log.append(lab.topic(event["type"]), key, json.dumps(event).encode(), RECEIVED_MS)
    worker = lab.worker(log)
    lab.run(worker.drain())
    positions = worker.progress.table(worker.progress.take_changed(), datetime.now(UTC))
    lab.warehouse.insert("{store}.progress", positions)
    return lab


@pytest.fixture
def ask(told: Lab, capfdbinary: pytest.CaptureFixture[bytes]) -> Ask:
    """Asks as an analyst does, with `streams sql`."""

    def once(sql: str) -> str:
        capfdbinary.readouterr()
        of = told.settings.warehouse
        where = ["--set", f"warehouse.url={of.url}", "--set", f"warehouse.database={of.database}"]
        with pytest.raises(SystemExit) as ended:
            main([*where, "sql", sql, "--format", "Markdown"])
        out, err = capfdbinary.readouterr()
        assert 0 == (ended.value.code or 0), err.decode()
        return out.decode()

    return once


def test_the_document_is_what_the_warehouse_answers(ask: Ask) -> None:
    text = document(ask)
    if os.environ.get("STREAMS_TEST_WRITE_COOKBOOK"):
        DOCUMENT.write_text(text)
    assert text == DOCUMENT.read_text(), "make cookbook, look at the difference, and commit it"


@pytest.mark.parametrize("recipe", recipes(), ids=lambda recipe: recipe.name)
def test_a_question_says_how_to_read_its_answer_and_needs_no_lore(recipe: Recipe) -> None:
    assert recipe.question.endswith("?")
    assert recipe.reading.endswith(".")
    assert recipe.sql.endswith(";")
    for lore in ("FINAL", "Merge(", "_store", "{db}", "now("):
        assert lore not in recipe.sql


def test_every_question_has_an_answer() -> None:
    answers = DOCUMENT.read_text().split("\n## ")[1:]
    assert len(recipes()) == len(answers), "make cookbook"
    # Heading and rule of the table, and a row.
    assert [] == [answer.splitlines()[0] for answer in answers if len(re.findall(r"^\|", answer, re.M)) < 3]


def test_thursdays_in_new_york_are_those_of_the_timetable(told: Lab) -> None:
    rows = told.warehouse.rows(
        "SELECT day, present, contributing FROM {db}.presence_day WHERE community_id = 'reading-circle' "
        "AND toDayOfWeek(day) = 4 AND day < '2026-03-02' ORDER BY day"
    )
    # On Thursdays nobody writes but the bot: who is there came to the circle, and ada who hosts it contributes.
    came = [sum(weeks[week] == "x" for weeks in reading_circle.ATTENDS.values()) for week in range(10)]
    assert [0, 0, 5, 4, 5, 4, 6, 4, 6, 7] == came
    assert [(date(2025, 12, 25) + timedelta(weeks=week), came[week], int(week > 1)) for week in range(10)] == rows


@pytest.fixture(scope="module")
def facts() -> list[Event]:
    """What happened in the reading circle, corrections applied, as the oracles read it."""
    truth = fold(reading_circle.EVENTS)
    return corrected(truth.facts.values(), truth.time_of)


def local_day(fact: Event) -> date:
    return event_time(fact).astimezone(reading_circle.ZONE).date()


def test_who_was_there_at_which_hour_is_what_the_oracle_says(told: Lab, facts: list[Event]) -> None:
    rows = told.warehouse.rows(
        "SELECT day, hour, attendees FROM {db}.attendance_hour WHERE community_id = 'reading-circle'"
    )
    there = attendance(facts, reading_circle.ZONE)
    assert {(*key, len(members)) for key, members in there.items()} == set(rows)
    assert len(there) == len(rows)


def test_moves_of_members_are_what_the_oracle_says(told: Lab, facts: list[Event]) -> None:
    """As of the local day of the watermark, hence up to the Sunday before."""
    today = {reading_circle.CIRCLE: date(2026, 3, 4)}
    people = [fact for fact in facts if fact["actor_kind"] == "human"]
    stays = ladder(people, today, day_of=local_day, hosts=[("circle", "ada")])
    sundays = [date(2025, 12, 28) + timedelta(weeks=week) for week in range(10)]
    expected = {}
    for (_, member), history in stays.items():
        for sunday in sundays:
            now, before = level_on(history, sunday), level_on(history, sunday - timedelta(weeks=1))
            if now is not None:
                expected[sunday - timedelta(days=6), member] = (before.level if before else "", now.level)
    rows = told.warehouse.rows(
        "SELECT week, member_id, from_level, to_level FROM {db}.ladder_member_week "
        "WHERE community_id = 'reading-circle'"
    )
    assert expected == {row[:2]: row[2:] for row in rows}
    assert len(expected) == len(rows)


def test_whoever_helped_fay_is_thanked(told: Lab, facts: list[Event]) -> None:
    """ben and chi answered her, in the weeks of 5 and 12 January; nobody else thanks anybody."""
    rows = told.warehouse.rows(
        "SELECT month, giver_id, receiver_id, thanks FROM {db}.thanks WHERE community_id = 'reading-circle'"
    )
    january = date(2026, 1, 1)
    assert {(january, "fay", "ben"): 1, (january, "fay", "chi"): 1} == thanks(facts, reading_circle.ZONE)
    assert {(january, "fay", "ben", 1), (january, "fay", "chi", 1)} == set(rows)


def test_newcomers_of_a_week_are_those_of_the_oracle(told: Lab, facts: list[Event]) -> None:
    watermark = datetime(2026, 3, 4, 23, 59, 49, tzinfo=UTC)
    weeks: dict[date, list[int]] = defaultdict(list)
    for began, ties, _ in newcomers(facts, watermark, event_time).values():
        day = began.astimezone(reading_circle.ZONE).date()
        weeks[day - timedelta(days=day.weekday())].append(ties)
    complete = {week: ties for week, ties in weeks.items() if week + timedelta(weeks=3) < watermark.date()}
    rows = told.warehouse.rows(
        "SELECT week, newcomers, connected, connected_share, mean_ties FROM {db}.newcomer_ties_week "
        "WHERE community_id = 'reading-circle'"
    )
    assert {
        week: (len(ties), sum(map(bool, ties)), sum(map(bool, ties)) / len(ties), pytest.approx(sum(ties) / len(ties)))
        for week, ties in complete.items()
    } == {row[0]: row[1:] for row in rows}


def test_a_message_before_eight_in_shanghai_is_of_the_new_day(told: Lab) -> None:
    # e12, cy's first sign of life: 07:59:59 on Tuesday, 23:59:59 on Monday in UTC.
    assert [(date(2026, 3, 3),)] == told.warehouse.rows(
        "SELECT day FROM {db}.first_response WHERE community_id = 'tea-house' AND message_id = 'e12'"
    )
    assert [(date(2026, 3, 3), date(2026, 3, 2))] == told.warehouse.rows(
        "SELECT day, week FROM {db}.newcomer_ties WHERE community_id = 'tea-house' AND member_id = 'cy'"
    )
