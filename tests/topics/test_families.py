"""The families as a whole: all listed, every field described, every field with a column, topics by name."""

import importlib
import re
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import BaseModel

import streams.topics
from streams.settings import KafkaSettings
from streams.topics import ALL, INTERNAL, Family, Rejected, by_name, contract, family_of_topic, parse
from streams.topics.errors import REASONS
from streams.topics.event import Event
from streams.topics.order import Item

FOLDER = Path(streams.topics.__file__).parent
NOT_FAMILIES = {
    "__init__", "cloudevents", "contract", "decode", "errors", "event", "family", "instant", "internal", "validate",
}  # fmt: skip


def columns_of_events() -> set[str]:
    sql = (FOLDER.parents[1] / "sql/migrations/0001_store.sql").read_text()
    table = sql.split("{store}.events\n(")[1].split("ENGINE")[0]
    return set(re.findall(r"^    ([a-z_]+) +[A-Z]", table, re.M)) - {"INDEX"}


def test_every_family_file_is_listed_in_all() -> None:
    files = {path.stem for path in FOLDER.glob("*.py")} - NOT_FAMILIES
    assert files == {family.model.__module__.rsplit(".", 1)[1] for family in ALL}
    for name in files:
        assert importlib.import_module(f"streams.topics.{name}").FAMILY is by_name[name]


@pytest.mark.parametrize("model", [*(family.model for family in ALL), Event, Item], ids=lambda model: model.__name__)
def test_every_model_is_strict_frozen_and_described(model: type[BaseModel]) -> None:
    assert model.model_config["strict"] and model.model_config["frozen"]
    assert model.__doc__
    assert [name for name, field in model.model_fields.items() if not field.description] == []


@pytest.mark.parametrize("family", ALL, ids=lambda family: family.name)
def test_every_field_has_a_column_of_the_events_table(family: Family) -> None:
    assert set(family.columns.values()) - columns_of_events() == set()
    plain = {name.partition(".")[0] for name in family.columns}
    assert set(family.model.model_fields) == plain


def test_the_families_together_fill_every_column_but_those_the_pipeline_adds() -> None:
    added = {
        "minute", "event_time", "received_at", "ingested_at", "clock_skewed", "extra", "event_key", "version",
        "is_deleted", "topic", "partition", "offset",
    }  # fmt: skip
    assert columns_of_events() - added == {column for family in ALL for column in family.columns.values()}


def test_topics_are_named_by_prefix_and_suffix_and_found_again() -> None:
    names = [each.topic("t1.") for each in (*ALL, *INTERNAL)]
    assert len(names) == len(set(names))
    assert by_name["check_in"].topic("t1.") == "t1.check_ins.v1"
    assert list(ALL) == [family_of_topic("t1.", family.topic("t1.")) for family in ALL]
    with pytest.raises(LookupError, match="no family"):
        family_of_topic("t1.", "t1.alerts.v1")


def test_erasures_and_links_are_kept_longer_than_the_events_they_are_about() -> None:
    longest = max(family.retention for family in ALL if family.engaged)
    assert by_name["moderation"].retention > longest and by_name["identity"].retention > longest
    assert all(family.retention >= timedelta(days=7) for family in ALL)


def test_contributing_families_are_engaged_ones_too() -> None:
    assert {"message", "reaction", "check_in", "order", "review"} == {family.name for family in ALL if family.engaged}
    assert all(family.engaged for family in ALL if family.contributing)


def test_the_documents_name_the_topics_as_default_settings_do() -> None:
    kafka = KafkaSettings()
    assert (kafka.topic_prefix, kafka.partitions) == (contract.PREFIX, contract.PARTITIONS)


def test_a_reason_without_a_meaning_cannot_be_given() -> None:
    assert all(REASONS.values())
    with pytest.raises(ValueError, match="REASONS"):
        Rejected("because", "no")


def test_the_key_keeps_a_members_events_together() -> None:
    event = parse(
        {
            "event_id": "1",
            "type": "check_in",
            "platform": "wecom",
            "community_id": "骑行",
            "member_id": "m-1",
            "occurred_at": "2026-01-01T00:00:00Z",
        }
    )
    assert "骑行/m-1".encode() == event.key
