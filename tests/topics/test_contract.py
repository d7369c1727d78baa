"""The documents: as committed, valid, complete; and changes that would break a publisher are found, others are not."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from streams.topics import ALL, INTERNAL, by_name
from streams.topics.contract import asyncapi, breaking_changes, documents, export, schema, stale

COMMITTED = Path(__file__).parents[2] / "docs/contract"


def test_the_committed_documents_are_what_the_models_say() -> None:
    assert stale(COMMITTED) == [], "write them anew with: streams contract export"


def test_export_writes_the_same_bytes_every_time_and_stale_names_each_difference(tmp_path: Path) -> None:
    assert [tmp_path / name for name in documents()] == export(tmp_path)
    first = {path: path.read_bytes() for path in export(tmp_path)}
    assert first == {path: path.read_bytes() for path in export(tmp_path)}
    assert stale(tmp_path) == []
    (tmp_path / "asyncapi.json").unlink()
    (tmp_path / "schemas/order.json").write_text("{}")
    (tmp_path / "schemas/poke.json").write_text("{}")
    assert stale(tmp_path) == [
        "asyncapi.json is missing",
        "schemas/order.json differs from the models",
        "schemas/poke.json belongs to no family",
    ]


@pytest.mark.parametrize("family", ALL, ids=lambda family: family.name)
def test_every_schema_is_a_valid_one_in_which_every_field_is_described_and_limited(family: Any) -> None:
    document = schema(family)
    jsonschema.Draft7Validator.check_schema(document)
    for name, field in document["properties"].items():
        assert field["description"], name
        bounded = {"const", "enum", "maxLength", "maximum", "maxItems", "pattern"}
        assert bounded & set(field), name


def refs(node: Any) -> list[str]:
    if isinstance(node, dict):
        return [*([node["$ref"]] if "$ref" in node else []), *(ref for value in node.values() for ref in refs(value))]
    return [ref for value in node for ref in refs(value)] if isinstance(node, list) else []


def test_every_reference_of_the_asyncapi_document_leads_somewhere() -> None:
    document = json.loads((COMMITTED / "asyncapi.json").read_bytes())
    found = refs(document)
    assert len(found) > 4 * len(ALL)
    for ref in found:
        if ref.startswith("#/"):
            node = document
            for part in ref[2:].split("/"):
                node = node[part]
        else:
            assert (COMMITTED / ref).is_file(), ref


def test_every_family_has_a_channel_an_operation_and_a_message_with_its_kafka_bindings() -> None:
    document = asyncapi(prefix="t1.", partitions=7)
    assert document["asyncapi"] == "3.0.0"
    for family in ALL:
        channel = document["channels"][family.name]
        kafka = channel["bindings"]["kafka"]
        assert (family.topic("t1."), family.topic("t1.")) == (channel["address"], kafka["topic"])
        assert (family.partitions or 7) == kafka["partitions"]
        assert family.retention.total_seconds() * 1000 == kafka["topicConfiguration"]["retention.ms"]
        assert document["operations"][f"receive_{family.name}"]["action"] == "receive"
        message = document["components"]["messages"][family.name]
        assert message["bindings"]["kafka"]["key"]["type"] == "string"
        assert message["payload"]["schema"] == {"$ref": f"./schemas/{family.name}.json"}
    names = {each.name for each in (*ALL, *INTERNAL)}
    assert set(document["channels"]) <= names


Change = Callable[[dict[str, Any]], object]


def changed(change: Change, family: str = "order") -> tuple[dict[str, Any], dict[str, Any]]:
    old = schema(by_name[family])
    new = copy.deepcopy(old)
    change(new)
    return old, new


def field(name: str, **more: Any) -> Change:
    return lambda document: document["properties"][name].update(more)


def item(name: str, **more: Any) -> Change:
    return lambda document: document["$defs"]["Item"]["properties"][name].update(more)


def renamed(document: dict[str, Any]) -> None:
    document["properties"]["total"] = document["properties"].pop("amount")
    document["required"][document["required"].index("amount")] = "total"


NARROWING: list[tuple[Change, list[str]]] = [
    (lambda d: d["properties"].pop("demand_id"), ["demand_id: removed"]),
    (renamed, ["amount: removed", "total: newly required"]),
    (lambda d: d["required"].append("demand_id"), ["demand_id: newly required"]),
    (lambda d: d["$defs"]["Item"]["required"].append("unit_price"), ["items[].unit_price: newly required"]),
    (field("order_id", type="integer"), ["order_id: the type was string and is integer"]),
    (field("order_id", maxLength=64), ["order_id: maxLength was 128 and is 64"]),
    (field("demand_id", minLength=1), ["demand_id: minLength was not set and is 1"]),
    (field("items", maxItems=10), ["items: maxItems was 1000 and is 10"]),
    (field("items", minItems=1), ["items: minItems was not set and is 1"]),
    (item("quantity", minimum=2), ["items[].quantity: minimum was 1 and is 2"]),
    (item("quantity", maximum=10), ["items[].quantity: maximum was 4294967295 and is 10"]),
    (field("kind", enum=["standard", "presale"]), ['kind: "group_buy" no longer allowed']),
    (field("order_id", enum=["a"]), ['order_id: only ["a"] are allowed']),
    (field("type", const="purchase"), ['type: "order" no longer allowed']),
    (field("currency", pattern="^[A-Z]{2}$"), ["currency: pattern was ^[A-Z]{3}$ and is ^[A-Z]{2}$"]),
    (field("kind", default="presale"), ['kind: the default was "standard" and is "presale"']),
    (lambda d: d["properties"]["kind"].pop("default"), ['kind: the default was "standard" and is null']),
    (lambda d: d.update(additionalProperties=False), ["the event: unknown fields are no longer allowed"]),
]

WIDENING: list[Change] = [
    lambda d: d["properties"].update(coupon={"type": "string", "maxLength": 64}),
    lambda d: d["required"].remove("currency"),
    field("order_id", maxLength=256),
    field("order_id", minLength=0),
    field("order_id", type=["string", "integer"]),
    field("kind", enum=["standard", "presale", "group_buy", "auction"]),
    item("quantity", minimum=0, type="number"),
    lambda d: d["properties"]["currency"].pop("pattern"),
    lambda d: d["properties"]["status"].pop("enum"),
    field("order_id", description="Other words", title="Order"),
    lambda d: d["properties"].update(order_id={"anyOf": [d["properties"]["order_id"], {"type": "null"}]}),
]


@pytest.mark.parametrize(("change", "expected"), NARROWING, ids=[expected[0] for _, expected in NARROWING])
def test_a_change_that_allows_less_is_found_and_taking_it_back_is_none(change: Change, expected: list[str]) -> None:
    old, new = changed(change)
    assert expected == breaking_changes(old, new)
    back = breaking_changes(new, old)
    restored = {"total: removed", "amount: newly required"} if change is renamed else set()
    assert set(back) <= restored or any("default" in line or "type" in line or "pattern" in line for line in back)


@pytest.mark.parametrize("change", WIDENING)
def test_a_change_that_allows_more_breaks_nothing_and_taking_it_back_does(change: Change) -> None:
    old, new = changed(change)
    assert breaking_changes(old, new) == []
    if old["properties"]["order_id"].get("description") == new["properties"]["order_id"].get("description"):
        assert breaking_changes(new, old) != [] or new["properties"]["order_id"].get("minLength") == 0


def test_a_contract_does_not_break_itself_and_another_family_does() -> None:
    for family in ALL:
        assert breaking_changes(schema(family), schema(family)) == []
    assert breaking_changes(schema(by_name["order"]), schema(by_name["review"]))
