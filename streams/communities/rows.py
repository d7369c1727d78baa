"""Rows of the settings tables, from what was set; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from streams.communities.settings import WEEKDAYS, Community
from streams.communities.zones import offsets_of

Settings = Mapping[str, Community]
"""Community -> its settings; an empty id has the defaults."""

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """One table of settings: what identifies a row, the rest of it, and how its rows follow from the settings."""

    name: str
    keys: Mapping[str, pa.DataType]
    rest: Mapping[str, pa.DataType]
    rows: Callable[[Settings], Iterable[Row]]

    def filled(self, settings: Settings, version: int) -> pa.Table:
        """Its rows, as of `version`."""
        types = {**self.keys, **self.rest}
        columns = list(zip(*self.rows(settings), strict=True)) or [()] * len(types)
        table = {
            name: pa.array(list(column), kind) for (name, kind), column in zip(types.items(), columns, strict=True)
        }
        count = len(columns[0])
        return pa.table({**table, "version": pa.array([version] * count, pa.uint64())})


def _communities(settings: Settings) -> Iterator[Row]:
    for community, said in settings.items():
        yield community, said.name, said.zone or "", said.since


def _zone_offsets(settings: Settings) -> Iterator[Row]:
    for zone in sorted({said.zone for said in settings.values() if said.zone}):
        for offset in offsets_of(zone):
            yield zone, *offset


def _rituals(settings: Settings) -> Iterator[Row]:
    for community, said in settings.items():
        for name, ritual in said.rituals.items():
            for weekday in [WEEKDAYS.index(day) + 1 for day in ritual.weekdays] or [0]:
                place = (community, name, weekday, ritual.month_day, ritual.title or name)
                yield *place, ritual.every, ritual.at, ritual.duration_minutes, ritual.conversation_id, ritual.host_id


def _value_terms(settings: Settings) -> Iterator[Row]:
    for community, said in settings.items():
        for name, value in said.values.items():
            yield from ((community, name, term) for term in value.terms)


def _value_acts(settings: Settings) -> Iterator[Row]:
    for community, said in settings.items():
        for name, value in said.values.items():
            acts = value.acts
            for kind, refs in (("ritual", acts.rituals), ("product", acts.products), ("place", acts.places)):
                yield from ((community, name, kind, ref) for ref in refs)


def _ladder(settings: Settings) -> Iterator[Row]:
    for community, said in settings.items():
        for rank, level in enumerate(said.ladder or (), start=1):
            asks = (level.min_active_days, level.min_contributions, level.min_hosted_or_cocreated)
            yield community, level.level, rank, level.weight, level.window_days, *asks, level.grace_days


def _streaks(settings: Settings) -> Iterator[Row]:
    for community, said in settings.items():
        if said.streaks:
            yield community, said.streaks.grace_hours, said.streaks.freeze_days


def _holidays(settings: Settings) -> Iterator[Row]:
    for community, said in settings.items():
        yield from ((community, day, name) for day, name in said.holidays.items())


_COMMUNITY = {"community_id": pa.string()}

TABLES: tuple[Table, ...] = (
    Table(
        "zone_offsets",
        {"zone": pa.string(), "from_utc": pa.timestamp("s", "UTC")},
        {"offset_s": pa.int32()},
        _zone_offsets,
    ),
    Table("communities", _COMMUNITY, {"name": pa.string(), "zone": pa.string(), "since": pa.date32()}, _communities),
    Table(
        "declared_rituals",
        {**_COMMUNITY, "ritual": pa.string(), "weekday": pa.uint8(), "month_day": pa.uint8()},
        {
            "title": pa.string(),
            "every": pa.string(),
            "at_minute": pa.uint16(),
            "duration_minutes": pa.uint16(),
            "conversation_id": pa.string(),
            "host_id": pa.string(),
        },
        _rituals,
    ),
    Table("value_terms", {**_COMMUNITY, "value": pa.string(), "term": pa.string()}, {}, _value_terms),
    Table(
        "value_acts",
        {**_COMMUNITY, "value": pa.string(), "kind": pa.string(), "ref": pa.string()},
        {},
        _value_acts,
    ),
    Table(
        "ladder_levels",
        {**_COMMUNITY, "level": pa.string()},
        {
            "rank": pa.uint8(),
            "weight": pa.float64(),
            "window_days": pa.uint16(),
            "min_active_days": pa.uint16(),
            "min_contributions": pa.uint32(),
            "min_hosted_or_cocreated": pa.uint32(),
            "grace_days": pa.uint16(),
        },
        _ladder,
    ),
    Table("streak_rules", _COMMUNITY, {"grace_hours": pa.uint8(), "freeze_days": pa.uint8()}, _streaks),
    Table("holidays", {**_COMMUNITY, "day": pa.date32()}, {"name": pa.string()}, _holidays),
)
"""Every table of settings, zones before the communities that name them."""
