"""The contract: what events are, which topics they are published to, and how records are read."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from streams.topics import check_in, identity, membership, message, moderation, order, reaction, review
from streams.topics.errors import Rejected
from streams.topics.event import Event
from streams.topics.family import Family
from streams.topics.internal import INTERNAL, Internal
from streams.topics.validate import check_contents, validate

ALL: tuple[Family, ...] = (
    message.FAMILY,
    reaction.FAMILY,
    check_in.FAMILY,
    order.FAMILY,
    review.FAMILY,
    membership.FAMILY,
    identity.FAMILY,
    moderation.FAMILY,
)
"""Every family there is, one file each."""

by_name: Mapping[str, Family] = MappingProxyType({family.name: family for family in ALL})
"""Family by its name, which is the `type` of its events."""


def family_of_topic(prefix: str, topic: str) -> Family:
    """The family that is published to `topic`. Raises LookupError for any other topic."""
    for family in ALL:
        if family.topic(prefix) == topic:
            return family
    raise LookupError(f"{topic} is the topic of no family; they are {', '.join(f.topic(prefix) for f in ALL)}")


def family_of(obj: Mapping[str, object]) -> Family:
    """The family an event says it is of, by its `type`. Raises Rejected."""
    name = obj.get("type")
    if not isinstance(name, str):
        raise Rejected("invalid_field", "Field required" if name is None else "Input should be a valid string", "type")
    if name not in by_name:
        raise Rejected("unknown_type", f"no family has this type; they are {', '.join(by_name)}", "type")
    return by_name[name]


def parse(obj: dict[str, object]) -> Event:
    """The event that `obj` is: the fields of the contract, times as RFC 3339 text or aware datetimes.

    Raises Rejected with the first fault.
    """
    check_contents(obj)
    return validate(family_of(obj), obj)


__all__ = [
    "ALL",
    "INTERNAL",
    "Event",
    "Family",
    "Internal",
    "Rejected",
    "by_name",
    "family_of",
    "family_of_topic",
    "parse",
]
