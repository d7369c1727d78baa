"""The decoder's own promises: what a record looks like, a fault costs one record, hostile bytes are refused fast."""

import gc
import json
import time
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest
from pydantic import AfterValidator, BaseModel, Field, ValidationError, field_validator

from streams.topics import ALL, Rejected, by_name, parse
from streams.topics.decode import Decoder, record_type
from streams.topics.event import Contract, Event
from streams.topics.instant import EPOCH

EXAMPLES = Path(__file__).parents[1] / "examples"
MESSAGE = Decoder(by_name["message"])


def message(**fields: Any) -> bytes:
    return json.dumps(json.loads((EXAMPLES / "message/minimal.json").read_bytes()) | fields).encode()


def reason(value: bytes | None, headers: Any = ()) -> tuple[str, str]:
    with pytest.raises(Rejected) as refused:
        MESSAGE.decode(value, headers)
    return refused.value.reason, refused.value.field


def test_absent_optional_fields_have_the_values_the_warehouse_stores() -> None:
    record = MESSAGE.decode((EXAMPLES / "message/minimal.json").read_bytes())
    assert (
        record.conversation_id, record.reply_to, record.mentions, record.language, record.extra, record.actor_kind,
        record.schema_version,
    ) == ("", "", (), "", "", "human", 1)  # fmt: skip
    assert record.sent_at == EPOCH


def test_times_keep_their_offset_and_money_its_text() -> None:
    record = Decoder(by_name["order"]).decode((EXAMPLES / "order/full.json").read_bytes())
    assert timedelta(hours=8) == record.occurred_at.utcoffset()
    assert (record.amount, record.items[0].unit_price, record.items[1].unit_price) == ("25.8000", "64.5", "")


def test_unknown_fields_are_kept_as_one_json_text_with_sorted_names() -> None:
    record = Decoder(by_name["order"]).decode((EXAMPLES / "order/unknown_item_fields.json").read_bytes())
    assert record.extra == '{"channel":"mini-program","items":[{},{"colour":"blue"}]}'
    assert (
        MESSAGE.decode(message(z=None, extra="x", a=[1, {"b": "雨"}])).extra
        == '{"a":[1,{"b":"雨"}],"extra":"x","z":null}'
    )
    assert MESSAGE.decode(message(n=123456789012345678901234567890)).extra == '{"n":123456789012345678901234567890}'


def test_an_escaped_backslash_before_u0000_is_no_nul() -> None:
    assert MESSAGE.decode(message(text="\\u0000")).text == "\\u0000"
    assert [event.text for event in MESSAGE.decode_batch([message(text="\\u0000"), message(text="b")])[0]] == [
        "\\u0000",
        "b",
    ]


def test_records_are_frozen_and_nothing_for_the_collector_to_walk() -> None:
    record = MESSAGE.decode(message(mentions=["a"]))
    assert not gc.is_tracked(record)
    with pytest.raises(AttributeError):
        record.text = "other"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, ("empty", "")),
        (b"", ("empty", "")),
        (b"null", ("invalid_json", "")),
        (b'"message"', ("invalid_json", "")),
        (b"{", ("invalid_json", "")),
        (b"\xef\xbb\xbf{}", ("invalid_json", "")),
        (b'{"a":\xff}', ("invalid_utf8", "")),
        (message().decode().encode("utf-16"), ("invalid_utf8", "")),
        (b'{"a":"\x00"}', ("invalid_json", "")),
        (b'{"a":' * 33 + b"1" + b"}" * 33, ("too_deep", "")),
        (b'{"a":' * 400 + b"1" + b"}" * 400, ("too_deep", "")),
        (b"[" * 500_000, ("too_deep", "")),
        (b'{"mentions":' + b"[" * 500_000, ("too_deep", "")),
        (b'{"a":' + b"9" * 5000 + b"}", ("invalid_json", "")),
        (message(**{"\x00": 1}), ("invalid_field", "")),
        (message(meta={"notes": ["", "\x00"]}), ("invalid_field", "meta.notes.1")),
        (message()[:-1] + b',"schema_version":2}', ("unknown_version", "schema_version")),
    ],
)
def test_what_is_no_event_is_rejected_with_its_reason(value: bytes | None, expected: tuple[str, str]) -> None:
    assert expected == reason(value)
    assert ([None], [(0, *expected)]) == (lambda events, faults: (events, [(i, f.reason, f.field) for i, f in faults]))(
        *MESSAGE.decode_batch([value])
    )


def test_thirty_two_levels_are_read() -> None:
    assert MESSAGE.decode(message(a=json.loads("[" * 31 + "]" * 31))).extra
    assert reason(message(a=json.loads("[" * 32 + "]" * 32))) == ("too_deep", "")


def test_a_record_larger_than_allowed_is_rejected_whatever_it_holds() -> None:
    small = Decoder(by_name["message"], max_bytes=1000)
    fits, too_large = message(text="x" * 500), message(text="x" * 1000)
    events, rejected = small.decode_batch([fits, too_large, fits])
    assert [event is not None for event in events] == [True, False, True]
    assert [(index, fault.reason) for index, fault in rejected] == [(1, "too_large")]
    assert reason(b"[" * 10_000_000) == ("too_large", "")


@pytest.mark.parametrize("bad", [None, b"", b"{", message(text=1), message(language="e n"), message(text="\x00")])
@pytest.mark.parametrize("at", [0, 1, 4])
def test_one_bad_record_anywhere_costs_only_itself(bad: bytes | None, at: int) -> None:
    values: list[bytes | None] = [message(event_id=str(i), language="en") for i in range(5)]
    values[at] = bad
    events, rejected = MESSAGE.decode_batch(values)
    assert [None if i == at else str(i) for i in range(5)] == [event and event.event_id for event in events]
    assert [at] == [index for index, _ in rejected]


def test_a_batch_of_only_bad_records_and_an_empty_one() -> None:
    assert MESSAGE.decode_batch([]) == ([], [])
    events, rejected = MESSAGE.decode_batch([message(language="!"), b"{", b"[]"])
    assert events == [None] * 3
    assert [index for index, _ in rejected] == [0, 1, 2]


def test_more_languages_than_are_remembered_are_all_checked() -> None:
    decoder = Decoder(by_name["message"])
    events, rejected = decoder.decode_batch(
        [message(language=f"en-{i}") for i in range(5000)] + [message(language="-")]
    )
    assert [event and event.language for event in events[-2:]] == ["en-4999", None]
    assert [index for index, _ in rejected] == [5000]


def test_hostile_bytes_cost_no_more_than_a_moment() -> None:
    start = time.process_time()
    for value in (
        b'{"type":"message","mentions":[' + b"1," * 500_000 + b"1]}",
        message(mentions=[1] * 200_000),
        message(**{f"k{i}": 1 for i in range(50_000)}),
        message(a=["\\"] * 100_000),
    ):
        MESSAGE.decode_batch([value])
    # Five seconds when every faulty element of a list was looked at.
    assert time.process_time() - start < 2.5


def test_a_list_is_given_up_at_its_first_fault() -> None:
    for family, name in (("message", "mentions"), ("order", "items")):
        event = json.loads((EXAMPLES / family / "minimal.json").read_bytes()) | {name: [1] * 9}
        with pytest.raises(ValidationError) as refused:
            by_name[family].model.model_validate(event)
        assert refused.value.error_count() == 1


def test_a_rejection_never_repeats_the_value() -> None:
    for value in (message(text=["my secret"]), message(occurred_at="my secret"), message(my="secret\x00")):
        with pytest.raises(Rejected) as refused:
            MESSAGE.decode(value)
        assert "secret" not in str(refused.value)


def test_parse_names_the_fault_of_what_no_json_could_hold() -> None:
    valid = json.loads(message())
    for more, expected in [
        ({"x": "\ud83d"}, ("invalid_utf8", "x")),
        ({"x": object()}, ("invalid_field", "x")),
        ({"x": {1: 2}}, ("invalid_field", "x")),
        ({"x": [float("inf")]}, ("invalid_field", "x.0")),
        ({"type": 1}, ("invalid_field", "type")),
        ({"schema_version": 9}, ("unknown_version", "schema_version")),
    ]:
        with pytest.raises(Rejected) as refused:
            parse(valid | more)
        assert expected == (refused.value.reason, refused.value.field), more


def test_the_struct_of_a_model_has_its_fields_in_its_order() -> None:
    for family in ALL:
        assert (*family.model.model_fields, "extra") == record_type(family.model).__struct_fields__
        assert issubclass(record_type(family.model), msgspec.Struct)


class Checked(Event):
    type: Literal["checked"]

    @field_validator("platform")
    @classmethod
    def no_cats(cls, value: str) -> str:
        return value


class Even(Contract):
    number: Annotated[int, Field(multiple_of=2)]


class Upper(Contract):
    name: Annotated[str, AfterValidator(str.upper)]


class Unanchored(Contract):
    name: Annotated[str, Field(pattern="a+")]


class Either(Contract):
    value: int | str


@pytest.mark.parametrize("model", [Checked, Even, Upper, Unanchored, Either], ids=lambda model: model.__name__)
def test_a_model_that_says_what_the_fast_path_cannot_check_is_refused_at_once(model: type[BaseModel]) -> None:
    with pytest.raises(TypeError):
        record_type(model)  # type: ignore[arg-type]
