"""The one error of the contract: a record that is not an event, with the reason as a metric label and a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

REASONS: Mapping[str, str] = MappingProxyType(
    {
        "empty": "the record has no value (a tombstone) or an empty one",
        "too_large": "the value has more bytes than a record may have",
        "invalid_utf8": "the bytes are not UTF-8",
        "invalid_json": "the bytes are not one JSON object",
        "too_deep": "objects and lists are nested deeper than any event needs",
        "unknown_type": "no family has this type",
        "wrong_topic": "the family exists, and has another topic",
        "unknown_version": "the contract has no such schema version",
        "invalid_field": "a field is missing, or its value is not allowed",
        "absurd_time": "the event happened before or after any believable time",
    }
)
"""Every reason a record may be rejected for, with its meaning."""


class Rejected(Exception):
    """A record that can never become a fact, however often it is read.

    `reason` is a key of `REASONS`, `detail` one sentence for a person, `field` the dotted path of the field at fault
    (`items.0.quantity`) or "" when the record as a whole is meant. `detail` never holds the value itself.
    """

    def __init__(self, reason: str, detail: str, field: str = "") -> None:
        if reason not in REASONS:
            raise ValueError(f"{reason!r} is no reason; add it to REASONS with its meaning")
        super().__init__(reason, detail, field)
        self.reason = reason
        self.detail = detail
        self.field = field

    def __str__(self) -> str:
        return f"{self.reason}: {self.field}: {self.detail}" if self.field else f"{self.reason}: {self.detail}"
