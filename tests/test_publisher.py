"""What an event becomes before it is sent, and what becomes of deliveries; nothing here needs a broker."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import pytest

import streams
from streams.publisher import DeliveryFailed, Encoder, Undelivered
from streams.topics import ALL, Event, Rejected, parse
from streams.topics.decode import Decoder
from streams.topics.message import Message
from streams.topics.order import FAMILY as ORDERS

MESSAGE: dict[str, Any] = {
    "event_id": "e1",
    "type": "message",
    "platform": "chat",
    "community_id": "c1",
    "member_id": "小明",
    "occurred_at": "2026-01-31T08:30:00+08:00",
    "text": "谁还有多的牛奶？",
}
ORDER: dict[str, Any] = MESSAGE | {
    "type": "order",
    "order_id": "o1",
    "status": "paid",
    "amount": "12.50",
    "currency": "CNY",
    "items": [{"product_id": "p1", "quantity": 2, "unit_price": "6.25", "colour": "red"}],
}
del ORDER["text"]


@pytest.fixture
def encoder() -> Encoder:
    return Encoder("p.")


def test_an_event_goes_to_the_topic_of_its_family_under_the_key_of_its_member(encoder: Encoder) -> None:
    sent = encoder.event(MESSAGE)

    assert ("p.messages.v1", "c1/小明".encode(), ()) == (sent.topic, sent.key, sent.headers)
    assert MESSAGE == json.loads(sent.value)


@pytest.mark.parametrize(
    "event", [MESSAGE, MESSAGE | {"mood": {"x": [1, None]}}, ORDER], ids=["plain", "unknown", "order"]
)
def test_what_is_sent_is_what_the_worker_reads(encoder: Encoder, event: dict[str, Any]) -> None:
    family = {family.name: family for family in ALL}[event["type"]]
    read = Decoder(family)

    assert read.decode(json.dumps(event).encode()) == read.decode(encoder.event(event).value)


def test_unknown_fields_are_sent_too_also_those_of_items(encoder: Encoder) -> None:
    sent = json.loads(encoder.event(ORDER | {"coupon": "X"}).value)

    assert ("X", "red") == (sent["coupon"], sent["items"][0]["colour"])
    assert (
        '{"coupon":"X","items":[{"colour":"red"}]}'
        == Decoder(ORDERS).decode(encoder.event(ORDER | {"coupon": "X"}).value).extra
    )


def test_json_is_sent_byte_for_byte(encoder: Encoder) -> None:
    line = json.dumps(MESSAGE | {"mood": 1}, indent=1).encode()

    sent = encoder.json(line)

    assert ("p.messages.v1", line, "c1/小明".encode()) == (sent.topic, sent.value, sent.key)


def test_an_event_object_is_sent_as_its_publisher_stated_it(encoder: Encoder) -> None:
    event = parse(MESSAGE | {"occurred_at": datetime(2026, 1, 31, 0, 30, tzinfo=UTC)})

    assert MESSAGE | {"occurred_at": "2026-01-31T00:30:00Z"} == json.loads(encoder.event(event).value)


def test_an_envelope_that_was_never_checked_as_its_family_is_checked_now(encoder: Encoder) -> None:
    envelope = Event.model_validate(MESSAGE | {"text": 7})

    with pytest.raises(Rejected) as rejected:
        encoder.event(envelope)

    assert ("invalid_field", "text") == (rejected.value.reason, rejected.value.field)


WRONG: dict[str, tuple[dict[str, Any], str, str]] = {
    "no type": ({k: v for k, v in MESSAGE.items() if k != "type"}, "invalid_field", "type"),
    "another type": (MESSAGE | {"type": "poem"}, "unknown_type", "type"),
    "no zone": (MESSAGE | {"occurred_at": "2026-01-31T08:30:00"}, "invalid_field", "occurred_at"),
    "an unknown version": (MESSAGE | {"schema_version": 2}, "unknown_version", "schema_version"),
    "an empty id": (MESSAGE | {"event_id": ""}, "invalid_field", "event_id"),
    "money as a number": (ORDER | {"amount": 12.5}, "invalid_field", "amount"),
    "a NUL": (MESSAGE | {"text": "a\x00b"}, "invalid_field", "text"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_no_event_is_refused_with_field_and_reason(encoder: Encoder, case: str) -> None:
    event, reason, field = WRONG[case]

    with pytest.raises(Rejected) as as_dict:
        encoder.event(event)
    with pytest.raises(Rejected) as as_json:
        encoder.json(json.dumps(event).encode())

    assert (reason, field) == (as_dict.value.reason, as_dict.value.field)
    assert (reason, field) == (as_json.value.reason, as_json.value.field)


def test_half_a_surrogate_pair_is_refused(encoder: Encoder) -> None:
    with pytest.raises(Rejected) as as_dict:
        encoder.event(MESSAGE | {"text": "\ud83d"})
    with pytest.raises(Rejected) as as_json:
        encoder.json(json.dumps(MESSAGE | {"text": "\ud83d"}).encode())

    assert ("invalid_utf8", "text") == (as_dict.value.reason, as_dict.value.field)
    assert "invalid_json" == as_json.value.reason


@pytest.mark.parametrize("value", [float("nan"), object(), b"\xff"], ids=["nan", "object", "bytes"])
def test_an_unknown_field_that_json_cannot_hold_is_refused(encoder: Encoder, value: object) -> None:
    with pytest.raises(Rejected):
        encoder.event(MESSAGE | {"mood": value})


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "invalid_json"),
        (b"[1]", "invalid_json"),
        (b"null", "invalid_json"),
        (b'{"type":"message","text":"\xff"}', "invalid_utf8"),
        (b'{"type":"message","x":' + b"[" * 100 + b"]" * 100 + b"}", "too_deep"),
        (b'{"type":7}', "invalid_field"),
    ],
)
def test_bytes_that_are_no_event_are_refused_with_the_reason(encoder: Encoder, line: bytes, reason: str) -> None:
    with pytest.raises(Rejected) as rejected:
        encoder.json(line)

    assert reason == rejected.value.reason


def test_an_event_larger_than_a_record_may_be_is_refused_before_it_is_sent() -> None:
    encoder = Encoder("p.", max_record_bytes=1000)
    just = MESSAGE | {"text": "x" * (1000 - len(Encoder("p.").event(MESSAGE | {"text": ""}).value))}
    over = just | {"text": just["text"] + "x"}

    assert 1000 == len(encoder.event(just).value)
    for refused in (lambda: encoder.event(over), lambda: encoder.json(encoder_bytes(over))):
        with pytest.raises(Rejected) as rejected:
            refused()
        assert "too_large" == rejected.value.reason


def encoder_bytes(event: dict[str, Any]) -> bytes:
    return Encoder("p.").event(event).value


@pytest.mark.parametrize("as_json", [False, True])
def test_cloudevents_attributes_are_headers_and_the_value_stays_whole(as_json: bool) -> None:
    encoder = Encoder("p.", cloudevents=True)

    sent = encoder.json(encoder_bytes(MESSAGE)) if as_json else encoder.event(MESSAGE)

    headers = dict(sent.headers)
    assert (b"1.0", b"e1", b"community.message.v1", b"application/json") == (
        headers["ce_specversion"],
        headers["ce_id"],
        headers["ce_type"],
        headers["content-type"],
    )
    assert MESSAGE == json.loads(sent.value)


def test_failed_deliveries_are_counted_and_the_first_are_named() -> None:
    first = [Undelivered("p.messages.v1", "c1/m1", "KafkaTimeoutError: too late")]

    failed = DeliveryFailed(3, first)

    assert (3, tuple(first)) == (failed.count, failed.first)
    assert "3 records were not delivered (p.messages.v1 c1/m1: KafkaTimeoutError: too late; ...)" == str(failed)


def test_the_package_offers_the_publisher_without_loading_a_client_for_who_does_not_ask() -> None:
    code = "import sys, streams; print('kafka' in sys.modules, streams.Publisher.__name__, 'kafka' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "False Publisher True" == done.stdout.strip()


def test_the_package_has_nothing_else_to_offer() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Consumer'"):
        _ = streams.Consumer


def test_every_family_has_a_place_to_go() -> None:
    assert set(Encoder("p.")._topics.values()) == {family.topic("p.") for family in ALL}
    assert Message in {family.model for family in ALL}
