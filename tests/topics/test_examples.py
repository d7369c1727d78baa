"""Every example in tests/examples is what its place says: taken by all readers, or refused for its reason."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from streams.topics import ALL, Rejected, by_name, parse
from streams.topics.contract import schema
from streams.topics.decode import Decoder

EXAMPLES = Path(__file__).parents[1] / "examples"
VALID = sorted(EXAMPLES.glob("*/*.json"))
INVALID = sorted(EXAMPLES.glob("*/invalid/*.json"))


def title(path: Path) -> str:
    return path.relative_to(EXAMPLES).with_suffix("").as_posix()


def as_value(example: dict[str, Any]) -> bytes:
    """The record's bytes: `text` as it stands, or `event` as JSON."""
    return (example["text"] if "text" in example else json.dumps(example["event"])).encode()


def test_every_family_has_minimal_full_and_invalid_examples_and_nothing_else_has() -> None:
    assert {family.name for family in ALL} == {path.name for path in EXAMPLES.iterdir()}
    for family in ALL:
        folder = EXAMPLES / family.name
        assert (folder / "minimal.json").exists() and (folder / "full.json").exists(), family.name
        assert list((folder / "invalid").glob("*.json")), family.name


@pytest.mark.parametrize("family", ALL, ids=lambda family: family.name)
def test_the_full_example_states_every_field_in_some_example_of_its_family(family: Any) -> None:
    stated = {name for path in EXAMPLES.glob(f"{family.name}/*.json") for name in json.loads(path.read_bytes())}
    assert set(family.model.model_fields) - stated == set()


@pytest.mark.parametrize("path", VALID, ids=title)
def test_a_valid_example_is_decoded_with_the_values_it_states(path: Path) -> None:
    stated = json.loads(path.read_bytes())
    family = by_name[path.parent.name]
    record = Decoder(family).decode(path.read_bytes())
    event = parse(stated)
    for name in family.model.model_fields:
        if name == "items":
            assert [(i.product_id, i.quantity, i.unit_price) for i in event.items] == [  # type: ignore[attr-defined]
                (i.product_id, i.quantity, i.unit_price) for i in record.items
            ]
        else:
            assert getattr(event, name) == getattr(record, name), name
        if isinstance(stated.get(name), str) and name not in ("occurred_at", "sent_at"):
            assert stated[name] == getattr(record, name)
    assert not record.extra or "unknown" in path.stem


@pytest.mark.parametrize("path", VALID, ids=title)
def test_a_valid_example_is_the_same_event_after_it_is_published(path: Path) -> None:
    decoder = Decoder(by_name[path.parent.name])
    assert decoder.decode(path.read_bytes()) == decoder.decode(parse(json.loads(path.read_bytes())).to_json())


@pytest.mark.parametrize("path", [p for p in VALID if "null" not in p.stem], ids=title)
def test_a_valid_example_follows_the_published_schema(path: Path) -> None:
    jsonschema.Draft7Validator(schema(by_name[path.parent.name])).validate(json.loads(path.read_bytes()))


@pytest.mark.parametrize("path", INVALID, ids=title)
def test_an_invalid_example_is_refused_for_its_reason_and_at_its_field(path: Path) -> None:
    example = json.loads(path.read_bytes())
    with pytest.raises(Rejected) as refused:
        Decoder(by_name[path.parents[1].name]).decode(as_value(example))
    assert (example["reason"], example["field"]) == (refused.value.reason, refused.value.field)
    assert refused.value.detail


@pytest.mark.parametrize("path", [p for p in INVALID if "event" in json.loads(p.read_bytes())], ids=title)
def test_an_invalid_example_is_refused_by_parse_or_belongs_to_another_topic(path: Path) -> None:
    example = json.loads(path.read_bytes())
    if example["reason"] == "wrong_topic":
        assert path.parents[1].name != parse(example["event"]).type
        return
    with pytest.raises(Rejected) as refused:
        parse(example["event"])
    assert (example["reason"], example["field"]) == (refused.value.reason, refused.value.field)


# What a schema cannot say: which days a month has, and what stands in fields it does not know. The line feed it can:
# only this validator's regular expressions, which are Python's, let `$` stand before one.
UNSAYABLE = {"no_such_day", "nul_in_unknown", "amount_line_feed"}


@pytest.mark.parametrize("path", [p for p in INVALID if "event" in json.loads(p.read_bytes())], ids=title)
def test_an_invalid_example_breaks_the_published_schema(path: Path) -> None:
    event = json.loads(path.read_bytes())["event"]
    allowed = jsonschema.Draft7Validator(schema(by_name[path.parents[1].name])).is_valid(event)
    assert allowed == (path.stem in UNSAYABLE)
