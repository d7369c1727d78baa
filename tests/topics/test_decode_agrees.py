"""The law of the decoder: whatever the bytes, it takes what the models take, with equal values, and nothing else."""

import json
import math
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from streams.topics import ALL, Family, Rejected
from streams.topics.contract import schema
from streams.topics.decode import Decoder
from streams.topics.event import Contract
from streams.topics.validate import MAX_DEPTH

EXAMPLES = Path(__file__).parents[1] / "examples"
DECODERS = {family.name: Decoder(family) for family in ALL}

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12)
ids = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=12)
times = st.sampled_from(
    [
        "2026-03-07T21:04:11Z", "2026-03-07t21:04:11.25z", "2026-03-07 21:04:11+08:00", "2026-03-07T21:04:11-0330",
        "2026-03-07T21:04:11.1234567Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59.9999994-23:59",
    ]
)  # fmt: skip
bad_times = st.sampled_from(
    [
        "2026-03-07T21:04:11", "2016-12-31T23:59:60Z", "2026-03-07T21:04:11+24:00", "2026-02-30T00:00:00Z",
        "2026-03-07T21:04:11,5Z", "2026-03-07T24:00:00Z", " 2026-03-07T21:04:11Z", "2026-03-07T21:04:11Z\n",
        "9999-12-31T23:59:59.9999999Z", 1772888651, "1772888651",
    ]
)  # fmt: skip
amounts = st.sampled_from(["0", "12.50", "99999999999999.9999", "0.0001"])
items = st.fixed_dictionaries(
    {"product_id": ids, "quantity": st.integers(1, 2**32 - 1)},
    optional={"unit_price": st.one_of(amounts, st.just(""), st.none()), "colour": texts, "": st.none()},
)

REQUIRED: dict[str, st.SearchStrategy[Any]] = {
    "event_id": ids, "platform": ids, "community_id": ids, "member_id": ids, "occurred_at": times,
}  # fmt: skip
OPTIONAL: dict[str, st.SearchStrategy[Any]] = {
    "schema_version": st.just(1), "actor_kind": st.sampled_from(["human", "bot", "staff", "test"]), "sent_at": times,
}  # fmt: skip
FIELDS: dict[str, tuple[dict[str, st.SearchStrategy[Any]], dict[str, st.SearchStrategy[Any]]]] = {
    "message": (
        {"text": texts},
        {
            "conversation_id": texts, "reply_to": texts, "mentions": st.lists(ids, max_size=3),
            "language": st.sampled_from(["", "en", "zh-Hant-TW", "x"]),
        },
    ),
    "reaction": ({"target_id": ids, "reaction": ids}, {"action": st.sampled_from(["add", "remove"])}),
    "check_in": ({}, {"ritual": texts, "place": texts, "mode": st.sampled_from(["online", "offline"])}),
    "order": (
        {"order_id": ids, "status": st.sampled_from(["placed", "paid"]), "amount": amounts, "currency": st.just("CNY")},
        {
            "kind": st.sampled_from(["standard", "presale"]), "items": st.lists(items, max_size=3),
            "product_id": texts, "demand_id": texts,
        },
    ),
    "review": (
        {"product_id": ids, "rating": st.one_of(st.integers(1, 5), st.floats(1, 5))},
        {"text": texts, "order_id": texts},
    ),
    "membership": (
        {"action": st.sampled_from(["join", "leave", "invite"])},
        {"inviter_id": texts, "invitee_id": texts, "role": texts, "stage": texts, "reason": texts},
    ),
    "identity": (
        {"action": st.sampled_from(["link", "unlink"]), "linked_platform": ids, "linked_account_id": ids}, {},
    ),
    "moderation": (
        {"action": st.sampled_from(["hide", "restore", "flag", "erase"])},
        {
            "target_id": texts, "target_member_id": texts, "reason": texts,
            "flagged_kind": st.sampled_from(["", "bot", "human"]),
        },
    ),
}  # fmt: skip

json_values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        texts,
        st.just("a\x00b"),
        st.just(10**30),
        st.just("\ud83d"),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=5,
)
nasty_values = st.one_of(
    json_values,
    bad_times,
    st.sampled_from(
        [
            "", "x" * 64, "x" * 65, "x" * 128, "x" * 129, "𝄞" * 128, "\x00", "\\u0000", "12.50\n", "1e3", "NaN", "-1",
            "１", "01", "en\n", "en_GB", "usd", "USDT",
            0, 1, 2, 5, 6, 1.0, 1.5, 5.0000000000000001, 2**32, 2**32 - 1, 2**63,
            2**64, -1, 10**400, [""], ["x"] * 1000, ["x"] * 1001, [None], [{}], [{"product_id": "p", "quantity": 1.0}],
            [{"product_id": "p", "quantity": True}], [[]], {}, {"0": "a"}, "message", "order", "poke", "Add", "add ",
        ]
    ),
)  # fmt: skip


@st.composite
def valid_events(draw: st.DrawFn, family: Family) -> dict[str, Any]:
    required, optional = FIELDS[family.name]
    drawn = draw(st.fixed_dictionaries(REQUIRED | required, optional=OPTIONAL | optional))
    return {"type": family.name, **drawn}


@st.composite
def nearly_valid_events(draw: st.DrawFn, family: Family) -> dict[str, Any]:
    """A valid event with up to three of its fields dropped, made null, replaced, or joined by unknown ones."""
    event = draw(valid_events(family))
    for _ in range(draw(st.integers(0, 3))):
        name = draw(
            st.one_of(st.sampled_from([*family.model.model_fields, "extra", "__class__", "model_extra"]), texts)
        )
        match draw(st.sampled_from(["drop", "null", "replace", "replace"])):
            case "drop":
                event.pop(name, None)
            case "null":
                event[name] = None
            case "replace":
                event[name] = draw(nasty_values)
    return event


def twice(text: str, draw: Callable[..., Any]) -> str:
    """The object with one of its names a second time, before or after the first."""
    name = draw(st.sampled_from(["event_id", "type", "text", "rating", "mentions", "items", "amount", "x"]))
    value = draw(st.sampled_from(['"a"', '""', "1", "null", "[]", '"\\u0000"', '"message"', "NaN", '["\\ud800"]']))
    more = f'"{name}":{value}'
    return "{" + more + "," + text[1:] if draw(st.booleans()) else text[:-1] + "," + more + "}"


@st.composite
def records(draw: st.DrawFn, family: Family) -> bytes:
    """JSON of an event, written in one of the ways there are, and then perhaps damaged."""
    event = draw(nearly_valid_events(family))
    text = json.dumps(event, ensure_ascii=True, separators=draw(st.sampled_from([(",", ":"), (" ,\n", "\t: ")])))
    if draw(st.booleans()):
        text = twice(text, draw)
    if draw(st.booleans()):
        old, new = draw(
            st.sampled_from(
                [
                    ("1", "1.0"), ("1", "1e0"), ("1", "01"), ("1", "-0"), ("1", "1" * 400), ("1", "1" * 5000),
                    ("5", "1e999"), ("5", "5.0000000000000000000000001"), ("5", "Infinity"), ("5", "-NaN"), ('"', "'"),
                    ("a", "\\u0061"),
                    ("a", "\\ud83d\\ude00"), ("a", "\\udc00"), ("a", "\\x61"), ("a", "\n"), ("{", "{,"), ("}", ",}"),
                    ("{", "[" * 40), ("{", "[" * 500), ("[", "[" * 31 + "]" * 31 + ","), ("null", "nul"), ("a", "\x7f"),
                ]
            )
        )  # fmt: skip
        text = text.replace(old, new, draw(st.integers(1, 2)))
    value = text.encode()
    match draw(st.sampled_from(["whole", "whole", "whole", "cut", "byte", "mark", "tail", "utf-16", "head"])):
        case "cut":
            value = value[: draw(st.integers(0, len(value)))]
        case "byte":
            at = draw(st.integers(0, max(len(value) - 1, 0)))
            value = value[:at] + draw(st.binary(min_size=1, max_size=2)) + value[at + 1 :]
        case "mark":
            value = b"\xef\xbb\xbf" + value
        case "tail":
            value += draw(st.sampled_from([b" \n\t\r", b"\x00", b"{}", b"\x0c", b",", b"\xa0"]))
        case "head":
            value = draw(st.sampled_from([b" \n", b"\x0b", b"["])) + value
        case "utf-16":
            value = text.encode("utf-16")
    return value


def holds_what_is_refused(value: object, depth: int = 0) -> bool:
    """NUL, numbers that are none, too many levels: refused even where the models do not look."""
    match value:
        case dict():
            return depth >= MAX_DEPTH or any(
                holds_what_is_refused(name) or holds_what_is_refused(inner, depth + 1) for name, inner in value.items()
            )
        case list():
            return depth >= MAX_DEPTH or any(holds_what_is_refused(inner, depth + 1) for inner in value)
        case str():
            return "\x00" in value
        case float():
            return not math.isfinite(value)
    return False


def by_the_model(family: Family, value: bytes) -> Contract | None:
    """What pydantic alone makes of a record, and Python's own JSON reader of what pydantic does not look into."""
    try:
        event = family.model.model_validate_json(value)
        document = json.loads(value.decode())
    except (ValidationError, ValueError):
        return None
    return None if holds_what_is_refused(document) else event


def known_values(event: Any, fields: Any) -> dict[str, Any]:
    """The fields as plain values; times with their offset, which comparing moments does not see."""
    values = {name: getattr(event, name) for name in fields}
    for name, value in values.items():
        if hasattr(value, "utcoffset"):
            values[name] = (value.isoformat(), value.utcoffset() // timedelta(minutes=1))
        elif name == "items":
            values[name] = [(item.product_id, item.quantity, item.unit_price) for item in value]
    return values


def unknown_values(event: Contract) -> dict[str, Any]:
    found = dict(event.model_extra or {})
    lines = [dict(item.model_extra or {}) for item in (event.items if "items" in type(event).model_fields else ())]  # type: ignore[attr-defined]
    return found | {"items": lines} if any(lines) else found


def decoded(family: Family, value: bytes) -> Any:
    try:
        return DECODERS[family.name].decode(value)
    except Rejected:
        return None


records_of_any_family = st.sampled_from(ALL).flatmap(lambda family: st.tuples(st.just(family), records(family)))
unhurried = settings(max_examples=1500, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


def edges(family: Family, name: str) -> list[Any]:
    """Values at and past the limits of a field, read from the published schema, and values of other types."""
    limits = schema(family)["properties"].get(name, {})
    good = [*limits.get("enum", []), *([limits["const"]] if "const" in limits else [])]
    if limits.get("type") == "string":
        good += ["", "x", "CNY", "en", "12.50"]
        good += [letter * (limits["maxLength"] + more) for letter in "x𝄞" for more in (0, 1) if "maxLength" in limits]
    if limits.get("type") in ("integer", "number"):
        good += [edge + more for edge in (limits["minimum"], limits["maximum"]) for more in (-1, -0.01, 0, 0.01, 1)]
    if limits.get("type") == "array":
        line = {"product_id": "p", "quantity": 1}
        lines = [line | {n: v} for n in ("product_id", "quantity", "unit_price", "extra") for v in OTHERS]
        good += [["x"] * 1000, ["x"] * 1001, [line] * 1000, [line] * 1001, *([one] for one in (*lines, *OTHERS))]
    more = [text + tail for text in good if isinstance(text, str) for tail in ("\n", " ", "\x00", "\\u0000")]
    return [*good, *more, *OTHERS]


OTHERS: list[Any] = [
    None, True, False, 0, 1, 2, -1, 1.0, 0.5, 10**30, 2**32 - 1, 2**32, "", "1", "a\x00", "x" * 129, "12.50\n", "1e3",
    "１", [], [""], ["x"], [None], {}, {"a": 1},
]  # fmt: skip


@pytest.mark.parametrize("family", ALL, ids=lambda family: family.name)
def test_the_decoder_agrees_with_the_model_at_every_edge_of_every_field(family: Family) -> None:
    required = {"type": family.name, "event_id": "e", "platform": "p", "community_id": "c", "member_id": "m"}
    event = json.loads((EXAMPLES / family.name / "minimal.json").read_bytes()) | required
    good = json.dumps(event).encode()
    names = [*family.model.model_fields, "extra"]
    # With an unknown field beside it the same value goes another way.
    cases = [(name, edge, more) for name in names for edge in edges(family, name) for more in ({}, {"x": [None]})]
    taken = 0
    for name, edge, more in cases:
        value = json.dumps(event | more | {name: edge}).encode()
        by_model, record = by_the_model(family, value), decoded(family, value)
        assert (by_model is None) == (record is None), (name, edge)
        assert [record] == Decoder(family).decode_batch([good, value, good])[0][1:2], (name, edge)
        if by_model is not None:
            taken += 1
            fields = family.model.model_fields
            assert known_values(by_model, fields) == known_values(record, fields), (name, edge)
            assert unknown_values(by_model) == (json.loads(record.extra) if record.extra else {}), (name, edge)
    assert len(cases) > 2 * taken > 0


@unhurried
@given(records_of_any_family)
def test_the_decoder_takes_exactly_what_the_model_takes_with_equal_values(case: tuple[Family, bytes]) -> None:
    family, value = case
    event, record = by_the_model(family, value), decoded(family, value)
    assert (event is None) == (record is None)
    if event is not None:
        fields = family.model.model_fields
        assert known_values(event, fields) == known_values(record, fields)
        assert unknown_values(event) == (json.loads(record.extra) if record.extra else {})


@settings(unhurried, max_examples=300)
@given(st.sampled_from(ALL).flatmap(lambda family: st.tuples(st.just(family), st.lists(records(family), max_size=6))))
def test_a_batch_is_what_its_records_are_one_by_one(case: tuple[Family, list[bytes]]) -> None:
    family, values = case
    events, rejected = DECODERS[family.name].decode_batch(values)
    assert [decoded(family, value) for value in values] == events
    assert [index for index, event in enumerate(events) if event is None] == [index for index, _ in rejected]


@settings(unhurried, max_examples=300)
@given(st.sampled_from(ALL), st.one_of(st.binary(max_size=60), json_values.map(lambda v: json.dumps(v).encode())))
def test_garbage_is_rejected_and_raises_nothing_else(family: Family, value: bytes) -> None:
    assert decoded(family, value) is None


@settings(unhurried, max_examples=200)
@given(st.sampled_from(ALL).flatmap(lambda family: st.tuples(st.just(family), valid_events(family))))
def test_a_valid_event_survives_publishing(case: tuple[Family, dict[str, Any]]) -> None:
    family, event = case
    value = json.dumps(event).encode()
    published = family.model.model_validate_json(value).to_json()
    assert decoded(family, value) is not None
    assert decoded(family, value) == decoded(family, published)
