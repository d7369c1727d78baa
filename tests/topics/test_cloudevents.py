"""CloudEvents: both modes give the event the plain contract gives, and what is stated closest to the data wins."""

import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from streams.topics import Rejected, by_name, parse
from streams.topics.cloudevents import STRUCTURED, binary_headers
from streams.topics.decode import Decoder

EXAMPLES = Path(__file__).parents[1] / "examples"
ENVELOPE = {
    "event_id", "type", "platform", "community_id", "member_id", "occurred_at", "schema_version", "actor_kind",
    "sent_at",
}  # fmt: skip
MESSAGE = Decoder(by_name["message"])
DATA: dict[str, Any] = {"text": "谁有雨衣推荐？", "language": "zh"}
ATTRIBUTES: dict[str, Any] = {
    "specversion": "1.0",
    "id": "e-1",
    "type": "community.message.v1",
    "source": "//discord/night%20riders%2F%E4%B8%8A%E6%B5%B7",
    "subject": "m-1",
    "time": "2026-03-07T21:04:11.250+08:00",
}


def headers(**more: str | None) -> list[tuple[str, bytes]]:
    stated = {name: value for name, value in (ATTRIBUTES | more).items() if value is not None}
    return [("content-type", b"application/json"), *((f"ce_{name}", value.encode()) for name, value in stated.items())]


def binary(data: dict[str, Any] = DATA, **more: str | None) -> Any:
    return MESSAGE.decode(json.dumps(data).encode(), headers(**more))


def structured(**more: Any) -> Any:
    event = {"data": DATA, **ATTRIBUTES, **more}
    return MESSAGE.decode(json.dumps(event).encode(), [("content-type", STRUCTURED.encode() + b"; charset=UTF-8")])


def test_binary_and_structured_mode_give_the_event_the_plain_contract_gives() -> None:
    plain = DATA | {
        "event_id": "e-1",
        "type": "message",
        "platform": "discord",
        "community_id": "night riders/上海",
        "member_id": "m-1",
        "occurred_at": "2026-03-07T21:04:11.250+08:00",
    }
    expected = MESSAGE.decode(json.dumps(plain).encode())
    assert expected == binary()
    assert expected == structured()
    assert expected == structured(data=None, data_base64=b64encode(json.dumps(DATA).encode()).decode())
    assert expected == MESSAGE.decode(json.dumps({"data": DATA, **ATTRIBUTES}).encode())


def test_extension_attributes_win_over_source_and_subject_and_data_wins_over_both() -> None:
    extensions = {"platform": "wecom", "communityid": "c-2", "memberid": "m-2", "actorkind": "bot"}
    for event in (binary(**extensions), structured(**extensions)):
        assert (event.platform, event.community_id, event.member_id, event.actor_kind) == ("wecom", "c-2", "m-2", "bot")
    event = binary(
        DATA | {"member_id": "m-3", "actor_kind": "staff", "occurred_at": "2025-01-01T00:00:00Z"}, **extensions
    )
    assert (
        event.platform, event.community_id, event.member_id, event.actor_kind, event.occurred_at.year,
    ) == ("wecom", "c-2", "m-3", "staff", 2025)  # fmt: skip


def test_the_sending_time_is_an_extension_attribute() -> None:
    assert binary(senttime="2026-03-07T13:04:12Z").sent_at.isoformat() == "2026-03-07T13:04:12+00:00"


def test_a_whole_contract_event_is_taken_as_it_is_whatever_the_headers_say() -> None:
    value = (EXAMPLES / "message/full.json").read_bytes()
    assert MESSAGE.decode(value) == MESSAGE.decode(value, headers(type="community.order.v7", actorkind="bot"))
    unknown = (EXAMPLES / "message/unknown_fields.json").read_bytes()
    assert MESSAGE.decode(unknown) == MESSAGE.decode(unknown, headers(type="nonsense", traceparent="00-1"))


def test_other_attributes_are_kept_as_unknown_fields_and_never_become_fields_of_the_contract() -> None:
    event = binary(traceparent="00-ab", text="from a header", dataschema="https://example.org/s")
    assert (DATA["text"], '{"traceparent":"00-ab"}') == (event.text, event.extra)


@pytest.mark.parametrize(
    ("more", "reason", "field"),
    [
        ({"id": None}, "invalid_field", "event_id"),
        ({"time": None}, "invalid_field", "occurred_at"),
        ({"time": "yesterday"}, "invalid_field", "occurred_at"),
        ({"subject": None}, "invalid_field", "member_id"),
        ({"source": "/somewhere"}, "invalid_field", "platform"),
        ({"source": None}, "invalid_field", "platform"),
        ({"type": None}, "unknown_type", "type"),
        ({"type": "com.github.push"}, "unknown_type", "type"),
        ({"type": "community.poke.v1"}, "unknown_type", "type"),
        ({"type": "community.order.v1"}, "wrong_topic", "type"),
        ({"type": "community.message.v2"}, "unknown_version", "schema_version"),
        ({"specversion": "0.3"}, "unknown_version", "specversion"),
        ({"subject": "a\x00b"}, "invalid_field", "member_id"),
    ],
)
def test_a_faulty_attribute_is_rejected_at_its_field_in_both_modes(more: Any, reason: str, field: str) -> None:
    for read in (binary, structured):
        with pytest.raises(Rejected) as refused:
            read(**more)
        assert (reason, field) == (refused.value.reason, refused.value.field)


@pytest.mark.parametrize(
    ("more", "reason", "field"),
    [
        ({"data": [1]}, "invalid_field", "data"),
        ({"data": "text"}, "invalid_field", "data"),
        ({"data_base64": "%%%"}, "invalid_field", "data_base64"),
        ({"data_base64": "/w=="}, "invalid_utf8", ""),
        ({"data": {}}, "invalid_field", "text"),
        ({"id": 7}, "invalid_field", "event_id"),
        ({"data": DATA | {"type": "order"}}, "wrong_topic", "type"),
    ],
)
def test_faulty_data_of_a_structured_event_is_rejected(more: Any, reason: str, field: str) -> None:
    with pytest.raises(Rejected) as refused:
        structured(**more)
    assert (reason, field) == (refused.value.reason, refused.value.field)


def test_a_header_that_is_no_text_is_rejected_only_where_headers_matter() -> None:
    bad = [("ce_specversion", b"1.0"), ("ce_id", b"\xff"), ("other", b"\xff")]
    with pytest.raises(Rejected) as refused:
        MESSAGE.decode(json.dumps(DATA).encode(), bad)
    assert (refused.value.reason, refused.value.field) == ("invalid_utf8", "ce_id")
    assert MESSAGE.decode((EXAMPLES / "message/full.json").read_bytes(), bad)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*/*.json")), ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_the_headers_of_an_event_and_its_family_fields_are_the_event(path: Path) -> None:
    stated = json.loads(path.read_bytes())
    event = parse(stated)
    data = {name: value for name, value in stated.items() if name not in ENVELOPE}
    decoder = Decoder(by_name[path.parent.name])
    assert decoder.decode(path.read_bytes()) == decoder.decode(json.dumps(data).encode(), binary_headers(event))


def test_batches_take_the_headers_record_by_record() -> None:
    values = [json.dumps(DATA).encode()] * 3
    events, rejected = MESSAGE.decode_batch(values, [headers(id="a"), [], headers(id="c")])
    assert [event and event.event_id for event in events] == ["a", None, "c"]
    assert [(index, fault.field) for index, fault in rejected] == [(1, "type")]
