"""Reading records at the speed of the broker: a decoder derived from the models, with the models as the authority.

The fast path is one msgspec decode into a struct that is generated from the family's model. It knows no unknown field
and no null, so whatever is not plainly right falls to the slow path, where unknown fields are set aside and the same
struct is tried once more, and then the model either takes the event or names its fault. Neither way takes what the
model refuses, and all give equal values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from operator import attrgetter, itemgetter
from typing import Annotated, Any, Literal, TypeAlias, get_args, get_origin

import annotated_types
import msgspec
from pydantic import FailFast
from pydantic.fields import FieldInfo
from pydantic.types import Strict

from streams.topics import Family, Rejected, family_of
from streams.topics.cloudevents import Headers, flatten
from streams.topics.event import NO_NUL, Contract, Event, FewValues
from streams.topics.instant import ZonedTime
from streams.topics.validate import check_contents, extra_of, json_text, read_object, validate

# A generated struct: its attributes are the fields of the family's model and `extra`, which no type checker can know.
Record: TypeAlias = Any

MAX_BYTES = 1 << 20
NUL = b"\\u0000"
REMEMBERED = 4096
"""Values of a few-valued field that are remembered as good: a bound on memory, not on what is accepted."""


class NotInJson:
    """The type of `extra` for the fast path, which no JSON value has: a field of that name is an unknown one."""


class Decoder:
    """Reads the records of one family's topic.

    A record is a frozen `msgspec.Struct` with the contract's fields as attributes: text as `str`, "" when absent;
    times as aware `datetime` with the published offset, to the microsecond; money as the `str` that was published (at
    most four decimals, so that Arrow casts a column of it to decimal(18, 4)); `mentions` as a tuple of `str`, `items`
    as a tuple of structs; `extra` as the JSON of the unknown fields, "" when there are none.
    """

    def __init__(self, family: Family, max_bytes: int = MAX_BYTES) -> None:
        self.family = family
        self.max_bytes = max_bytes
        self.record: type[msgspec.Struct] = record_type(family.model)
        self._fast: Callable[[bytes], Record] = msgspec.json.Decoder(self.record).decode
        self._names = frozenset(family.model.model_fields)
        self._checks = [
            FewValuesCheck(name, pattern)
            for name, field in family.model.model_fields.items()
            for pattern in _few_values_patterns(field)
        ]

    def decode(self, value: bytes | None, headers: Headers = ()) -> Record:
        """The event of one record. Raises Rejected, and nothing else whatever the bytes are."""
        try:
            if value is not None and len(value) <= self.max_bytes and NUL not in value:
                event = self._fast(value)
                if all(check.good(event) for check in self._checks):
                    return event
        except Exception:
            # Whatever went wrong, the slow path finds its name, or finds nothing wrong.
            pass
        return self._slow(value, headers)

    def decode_batch(
        self, values: Sequence[bytes | None], headers: Sequence[Headers] = ()
    ) -> tuple[list[Record | None], list[tuple[int, Rejected]]]:
        """The events of records, and the rejected ones as (index, fault); a rejected record's event is None.

        `headers` holds the headers of each record, or is empty when no record has any.
        """
        events: list[Record | None] = []
        rejected: list[tuple[int, Rejected]] = []

        def slow(index: int) -> Record | None:
            try:
                return self._slow(values[index], headers[index] if headers else ())
            except Rejected as fault:
                rejected.append((index, fault))
                return None

        if self._needs_care(values):
            for index, value in enumerate(values):
                try:
                    events.append(self.decode(value, headers[index] if headers else ()))
                except Rejected as fault:
                    rejected.append((index, fault))
                    events.append(None)
            return events, rejected

        decoding = map(self._fast, values)  # type: ignore[arg-type]
        while len(events) < len(values):
            try:
                # What was decoded before a fault stays in the list, and the map goes on behind it.
                events.extend(decoding)
            except Exception:
                events.append(slow(len(events)))
        for check in self._checks:
            for index in check.suspects(events):
                events[index] = slow(index)
        rejected.sort(key=itemgetter(0))
        return events, rejected

    def _needs_care(self, values: Sequence[bytes | None]) -> bool:
        """Whether some record has no value, too many bytes, or an escape that may stand for NUL."""
        try:
            joined = b"".join(values)  # type: ignore[arg-type]
        except TypeError:
            return True
        if len(joined) > self.max_bytes and max(map(len, values)) > self.max_bytes:  # type: ignore[arg-type]
            return True
        # The search for one byte is twenty times as fast, and most batches hold no escape at all.
        return b"\\" in joined and NUL in joined

    def _slow(self, value: bytes | None, headers: Headers) -> Record:
        if not value:
            raise Rejected(
                "empty", "the record has no value (a tombstone)" if value is None else "the value has no bytes"
            )
        if len(value) > self.max_bytes:
            raise Rejected("too_large", f"{len(value)} bytes, of {self.max_bytes} at most")
        document = flatten(read_object(bytes(value)), headers, self.family)
        check_contents(document)
        family = family_of(document)
        if family is not self.family:
            raise Rejected("wrong_topic", f"a {family.name} on the topic of the {self.family.name} family", "type")
        try:
            return self._converted(document)
        except Exception:
            # As on the fast path: the model finds what is wrong, or that nothing is.
            event = validate(self.family, document)
            return _to_record(self.record, event, extra=extra_of(event))

    def _converted(self, document: dict[str, object]) -> Record:
        """The event of a document that has unknown fields, nulls or came from a CloudEvent, and no other peculiarity.

        Cheaper than the model, which a platform with a field of its own in every event would feel. Raises anything when
        there is more to it.
        """
        known: dict[str, object] = {}
        unknown: dict[str, object] = {}
        for name, value in document.items():
            if name not in self._names:
                unknown[name] = value
            elif value is not None:
                known[name] = value
        event = msgspec.convert(known, self.record)
        if not all(check.good(event) for check in self._checks):
            raise ValueError("a value does not match its pattern")
        if unknown:
            msgspec.structs.force_setattr(event, "extra", json_text(unknown))
        return event


class FewValuesCheck:
    """Checks a pattern once for each distinct value of a field, not once for each event."""

    def __init__(self, name: str, pattern: str) -> None:
        self._value_of = attrgetter(name)
        self._matches = re.compile(_python_pattern(pattern)).search
        self._known: set[str] = {""} if self._matches("") else set()

    def good(self, event: Record) -> bool:
        """Whether the event's value matches."""
        return self._is_good(self._value_of(event))

    def suspects(self, events: list[Record | None]) -> list[int]:
        """Places of the events whose value does not match; in most batches no value is new, and none is looked at."""
        try:
            if set(map(self._value_of, events)) <= self._known:
                return []
        except AttributeError:
            pass  # a rejected record in between
        return [i for i, event in enumerate(events) if event is not None and not self._is_good(self._value_of(event))]

    def _is_good(self, value: str) -> bool:
        if value in self._known:
            return True
        if not self._matches(value):
            return False
        if len(self._known) < REMEMBERED:
            self._known.add(value)
        return True


@cache
def record_type(model: type[Contract]) -> type[msgspec.Struct]:
    """The struct generated from a model: the same fields, types, limits and defaults, in the model's order.

    Raises TypeError for a model that says something the struct cannot, rather than taking what the model refuses.
    """
    decorators = model.__pydantic_decorators__
    own = [*decorators.field_validators, *decorators.validators, *decorators.root_validators]
    own += [name for name in decorators.model_validators if name != "null_is_absent"]
    if own:
        raise TypeError(f"{model.__name__} has validators that the fast decoder does not know: {', '.join(own)}")
    fields: list[Any] = []
    for name, field in model.model_fields.items():
        if field.alias is not None or field.default_factory is not None:
            raise TypeError(f"{model.__name__}.{name} has an alias or a default factory, which records do not have")
        kind = _fast_type(field.annotation, field.metadata)
        fields.append((name, kind) if field.is_required() else (name, kind, field.default))
    if issubclass(model, Event):
        fields.append(("extra", NotInJson, ""))
    return msgspec.defstruct(
        model.__name__,
        fields,
        module=__name__,
        namespace={"__doc__": model.__doc__},
        forbid_unknown_fields=True,
        frozen=True,
        kw_only=True,
        # Records refer to texts, numbers and times, never back to themselves: the collector need not walk them.
        gc=False,
    )


def _fast_type(annotation: Any, metadata: Iterable[object]) -> Any:
    """The msgspec type that takes no more than `annotation` with its constraints does."""
    if get_origin(annotation) is Annotated:
        annotation, *inner = get_args(annotation)
        return _fast_type(annotation, [*inner, *metadata])
    if annotation is datetime:
        return ZonedTime
    limits = _limits(metadata)
    if annotation in (str, int, float):
        return Annotated[annotation, msgspec.Meta(**limits)] if limits else annotation
    if get_origin(annotation) is Literal and not limits:
        return annotation
    if get_origin(annotation) is tuple and get_args(annotation)[1:] == (...,):
        elements: Any = tuple[_fast_type(get_args(annotation)[0], ()), ...]  # type: ignore[misc]
        return Annotated[elements, msgspec.Meta(**limits)] if limits else elements
    if isinstance(annotation, type) and issubclass(annotation, Contract) and not limits:
        return record_type(annotation)
    raise TypeError(f"the fast decoder does not know {annotation!r}")


def _limits(metadata: Iterable[object]) -> dict[str, Any]:
    limits: dict[str, Any] = {}
    flat = _flat(metadata)
    few_values = any(isinstance(constraint, FewValues) for constraint in flat)
    for constraint in flat:
        match constraint:
            case annotated_types.MinLen(min_length=number):
                # At least one character and at least none is at least one.
                limits["min_length"] = max(number, limits.get("min_length", 0))
            case annotated_types.MaxLen(max_length=number):
                limits["max_length"] = min(number, limits.get("max_length", number))
            case annotated_types.Ge(ge=number):
                limits["ge"] = number
            case annotated_types.Le(le=number):
                limits["le"] = number
            case Strict() | FewValues() | FailFast():
                pass
            case _ if (pattern := getattr(constraint, "pattern", None)) is not None:
                # NUL is looked for in the bytes; a few-valued field is checked by the batch.
                if pattern != NO_NUL and not few_values:
                    limits["pattern"] = _python_pattern(pattern)
            case _:
                raise TypeError(f"the fast decoder does not know the constraint {constraint!r}")
    return limits


def _flat(metadata: Iterable[object]) -> list[object]:
    flat: list[object] = []
    for constraint in metadata:
        flat.extend(constraint.metadata if isinstance(constraint, FieldInfo) else [constraint])
    return flat


def _python_pattern(pattern: str) -> str:
    """The models' pattern for Python, where `$` would also match before a line feed at the end."""
    if not (pattern.startswith("^") and pattern.endswith("$")):
        raise TypeError(f"the pattern {pattern!r} must cover the whole text, from ^ to $")
    return pattern.removesuffix("$") + r"\Z"


def _few_values_patterns(field: FieldInfo) -> list[str]:
    if not any(isinstance(constraint, FewValues) for constraint in field.metadata):
        return []
    return [pattern for m in field.metadata if (pattern := getattr(m, "pattern", None)) is not None]


def _to_record(record: type[msgspec.Struct], model: Contract, **more: str) -> Record:
    fields: Mapping[str, FieldInfo] = type(model).model_fields
    return record(**{name: _to_value(getattr(model, name)) for name in fields}, **more)


def _to_value(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_to_value(element) for element in value)
    if isinstance(value, Contract):
        return _to_record(record_type(type(value)), value)
    return value
