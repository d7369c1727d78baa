"""Time zones as offsets from UTC: from which moment on which offset holds, until the next one."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

LAST = datetime(2106, 2, 1, tzinfo=UTC)
"""Close to the last moment the warehouse's times can hold."""

_STEP = timedelta(days=1)


class Offset(NamedTuple):
    """From `from_utc` (epoch seconds) on, local time is UTC and `offset_s` seconds."""

    from_utc: int
    offset_s: int


@cache
def offsets_of(zone: str) -> tuple[Offset, ...]:
    """Offsets of an IANA zone from 1970 on, in order of time, from the time zone database of this machine.

    Looks once a day and then for the second: no zone has changed its clocks twice within a day since 1970.
    """
    place = ZoneInfo(zone)

    def offset(second: int) -> int:
        return int((datetime.fromtimestamp(second, place).utcoffset() or timedelta()).total_seconds())

    end, step = int(LAST.timestamp()), int(_STEP.total_seconds())
    found = [Offset(0, offset(0))]
    for day in range(step, end, step):
        now = offset(day)
        if now == found[-1].offset_s:
            continue
        low, high = day - step, day
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if offset(middle) == found[-1].offset_s else (low, middle)
        found.append(Offset(high, now))
    return tuple(found)


def in_force(offsets: Sequence[Offset], low: int, high: int) -> Sequence[Offset]:
    """The offsets that hold at some moment of `[low, high)`, epoch seconds."""
    first = bisect_right(offsets, low, key=lambda each: each.from_utc) - 1
    return offsets[max(0, first) : max(1, bisect_left(offsets, high, key=lambda each: each.from_utc))]


def in_whole_hours(offsets: Sequence[Offset]) -> bool:
    """True when every hour of UTC lies within one local hour: then local days are made of them."""
    return all(each.offset_s % 3600 == 0 for each in offsets) and all(each.from_utc % 3600 == 0 for each in offsets[1:])
