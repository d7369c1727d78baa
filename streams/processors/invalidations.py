"""An invalidation says which minute buckets of a community are no longer true; it carries no numbers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Annotated

import msgspec

from streams.communities.settings import Part

Minute = Annotated[int, msgspec.Meta(ge=0, lt=1 << 32)]
"""Start of a minute, epoch seconds: what ClickHouse's DateTime holds."""


class Invalidation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Value of a record on the invalidations topic; its key is the community."""

    community_id: str
    minutes: list[Minute]
    replaced: list[Minute] = []
    """Those of them in which a fact was replaced or left. Elsewhere facts only came: no key can have vanished."""
    received_at: int = 0
    """Kafka timestamp (ms) of the oldest record behind it: how long it took until the numbers were right again."""
    settings: list[Part] = []
    """Parts of the community's settings that changed: all numbers that depend on them are computed anew."""
    corrections: list[str] = []
    """Ids of the identity and moderation events that came, changed or went: the community's are folded anew."""


MAX_MINUTES = 20_000
"""Minutes of one record: some 220 KB of JSON, well below the megabyte that brokers take."""

MAX_CORRECTIONS = 5_000
"""Corrections of one record: some 650 KB at the most."""

_decoder = msgspec.json.Decoder(Invalidation)
_encoder = msgspec.json.Encoder()


def encode(invalidation: Invalidation) -> bytes:
    """The record's value, JSON."""
    return _encoder.encode(invalidation)


def decode(value: bytes | None) -> Invalidation:
    """Raise `msgspec.DecodeError` for what is not an invalidation: only the pipeline writes this topic."""
    return _decoder.decode(value or b"")


def of_minutes(
    community_id: str, minutes: Iterable[int], replaced: Collection[int], received_at: int
) -> Iterator[Invalidation]:
    """Invalidations that name all of these minutes, earliest first."""
    ordered = sorted(minutes)
    for start in range(0, len(ordered), MAX_MINUTES):
        part = ordered[start : start + MAX_MINUTES]
        yield Invalidation(community_id, part, [minute for minute in part if minute in replaced], received_at)


def of_corrections(community_id: str, event_ids: Iterable[str], received_at: int) -> Iterator[Invalidation]:
    """Invalidations that name all of these corrections."""
    ordered = sorted(event_ids)
    for start in range(0, len(ordered), MAX_CORRECTIONS):
        part = ordered[start : start + MAX_CORRECTIONS]
        yield Invalidation(community_id, [], received_at=received_at, corrections=part)
