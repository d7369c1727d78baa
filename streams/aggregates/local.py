"""Local days: which day of a community a moment belongs to, in numbers and in SQL.

A local day is named by its date: its start is the midnight of that date, written as if it were UTC. A day in which
clocks change has 23 or 25 hours and is still one day.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from streams.aggregates.aggregate import SECONDS, of_communities
from streams.communities.zones import Offset, in_force, in_whole_hours

DAY, HOUR = SECONDS["day"], SECONDS["hour"]

FARTHEST = 16 * HOUR
"""No zone is or was farther from UTC."""

Int64s = np.ndarray[Any, np.dtype[np.int64]]

WITHIN = np.array([[0], [900], [1800], [2700], [3599]])
"""Where the local days of an hour of UTC are asked for: midnights since 1990 were all at a quarter of one."""

UTC_ALONE: Sequence[Offset] = (Offset(0, 0),)


@dataclass(frozen=True, slots=True)
class LocalTime:
    """The zones of communities: those that `zone_of` names, and `default` for all others."""

    zone_of: Mapping[str, str] = field(default_factory=dict)
    offsets: Mapping[str, Sequence[Offset]] = field(default_factory=dict)
    """Zone -> its offsets, by time. A zone that is not here is UTC."""
    default: str = ""

    def of(self, communities: Collection[str]) -> LocalTime:
        """The same for some communities alone; their commonest zone becomes the default, which needs no list."""
        zones = {community: self._zone(community) for community in communities}
        if not zones:
            return self
        [(common, _)] = Counter(zones.values()).most_common(1)
        return LocalTime({name: zone for name, zone in zones.items() if zone != common}, self.offsets, common)

    def days_of(self, hours: Mapping[str, Iterable[int]]) -> dict[str, set[int]]:
        """Community -> starts of the local days that some hours of UTC (epoch seconds) have a part in."""
        clocks = self._clocks()
        days = {}
        for community, starts in hours.items():
            array = np.fromiter(starts, np.int64)
            days[community] = set(np.unique(_days(clocks[self._zone(community)], array)).tolist())
        return days

    def hours_of(self, days: Mapping[str, Iterable[int]]) -> dict[str, list[int]]:
        """Community -> the hours of UTC that have a part in some local days."""
        clocks = self._clocks()
        hours = {}
        for community, starts in days.items():
            array = np.fromiter(starts, np.int64)
            near = np.unique(array[:, None] + np.arange(-FARTHEST, DAY + FARTHEST, HOUR))
            told = _days(clocks[self._zone(community)], near)
            hours[community] = near[np.isin(told, array).any(axis=0)].tolist()
        return hours

    def _clocks(self) -> dict[str, Int64s]:
        """Zone -> two rows: since when, and which offset."""
        return {zone: np.array(self._offsets(zone), np.int64).T for zone in self._zones()}

    def day(self, column: str, low: int, high: int) -> str:
        """SQL of the start of the local day of a `DateTime('UTC')` column of `[low, high)`, epoch seconds."""
        offset = self._by_zone({zone: _offset_sql(self._in_force(zone, low, high), column) for zone in self._zones()})
        return f"toStartOfDay({column})" if offset == "0" else f"toStartOfDay({column} + {offset})"

    def broken_hours(self, low: int, high: int) -> str:
        """SQL predicate of the communities in which an hour of UTC is no part of one local hour; `0` for none.

        Their local days cannot be made of hours, and are computed from facts.
        """
        return self._by_zone(
            {zone: str(int(not in_whole_hours(self._in_force(zone, low, high)))) for zone in self._zones()}
        )

    def _zone(self, community: str) -> str:
        return self.zone_of.get(community, self.default)

    def _zones(self) -> set[str]:
        return {self.default, *self.zone_of.values()}

    def _offsets(self, zone: str) -> Sequence[Offset]:
        return self.offsets.get(zone) or UTC_ALONE

    def _in_force(self, zone: str, low: int, high: int) -> Sequence[Offset]:
        return in_force(self._offsets(zone), low, high)

    def _by_zone(self, chosen: Mapping[str, str]) -> str:
        """SQL that is `chosen[zone]` for the communities of each zone."""
        otherwise = chosen[self.default]
        branches: dict[str, list[str]] = defaultdict(list)
        for community, zone in self.zone_of.items():
            if chosen[zone] != otherwise:
                branches[chosen[zone]].append(community)
        if not branches:
            return otherwise
        listed = ", ".join(f"{of_communities(sorted(names))}, {sql}" for sql, names in sorted(branches.items()))
        return f"multiIf({listed}, {otherwise})"


def _days(clock: Int64s, hours: Int64s) -> Int64s:
    """A row a place within the hour: the local days of some hours of UTC."""
    since, seconds = clock
    moments = hours + WITHIN
    local = moments + seconds[np.maximum(0, np.searchsorted(since, moments, side="right") - 1)]
    return np.asarray(local - local % DAY)


def _offset_sql(offsets: Sequence[Offset], column: str) -> str:
    """SQL of the offset in force at a column, in seconds."""
    if len(offsets) == 1:
        return str(offsets[0].offset_s)
    latest_first = [
        f"{column} >= toDateTime({each.from_utc}, 'UTC'), {each.offset_s}" for each in reversed(offsets[1:])
    ]
    return f"multiIf({', '.join(latest_first)}, {offsets[0].offset_s})"
