"""A second reading of the public data, straight from the source files: what the warehouse must hold after a replay.

It imports nothing of the project and shares no code with `streams/traces`; times are cut out of the text, authors stay
raw (hashing keeps them apart, so numbers of members are the same).
"""

from __future__ import annotations

import csv
import gzip
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, NamedTuple

Grain = Literal["minute", "hour", "day"]
CUT = {"minute": 16, "hour": 13, "day": 10}  # characters of 2010-08-25T18:10 that name the bucket
FILL = {"minute": "", "hour": ":00", "day": "T00:00"}


class Act(NamedTuple):
    """One fact as the source tells it: `time` is UTC text, `author` raw."""

    time: str
    family: str
    author: str
    actor_kind: str


@dataclass(frozen=True)
class Numbers:
    """What a trace comes to. Starts are aware UTC."""

    community_id: str
    platform: str
    delivered: int  # events published, repeated ones included
    facts: int
    # grain -> (start, family, actor kind) -> (events, distinct members)
    activity: dict[Grain, dict[tuple[datetime, str, str], tuple[int, int]]]
    # day -> distinct members of any family and kind
    members_per_day: dict[datetime, int]
    # day -> events of each member of that day, ascending, any family and kind
    events_of_members: dict[datetime, tuple[int, ...]]
    families: dict[str, int]


def _table(file: Path) -> Iterator[list[str]]:
    with gzip.open(file, "rt", encoding="utf-8", newline="") as lines:
        reader = csv.reader(lines)
        next(reader)
        yield from reader


def _irc(data: Path) -> Iterator[Act]:
    """Nicks that were ever changed into each other are one author: the label spreads until nothing changes."""
    families = {"message": "message", "action": "message", "nick": "identity"}
    rows = list(_table(data / "irc_duraspace" / "events.csv.gz"))
    changes = {(nick, other) for _, what, nick, other in rows if what == "nick" and nick != other}
    labels = {nick: nick for change in changes for nick in change}
    moving = True
    while moving:
        moving = False
        for one, other in changes:
            least = min(labels[one], labels[other])
            moving = moving or labels[one] != least or labels[other] != least
            labels[one] = labels[other] = least
    for time, what, nick, _ in rows:
        robot = nick == "kompewter" or nick.startswith(("DuraLogBot", "DSpaceSlackBot"))
        yield Act(time, families.get(what, "membership"), labels.get(nick, nick), "bot" if robot else "human")


def _gowalla(data: Path) -> Iterator[Act]:
    unique = {tuple(row) for row in _table(data / "checkins_gowalla_nyc" / "checkins.csv.gz")}
    for user, time, *_ in unique:
        yield Act(time, "check_in", user, "human")


def _bicycles(data: Path) -> Iterator[Act]:
    folder = data / "stackexchange_bicycles_meta"

    def act(time: str, family: str, user: str) -> Act:
        return Act(time, family, user or "nobody", "bot" if user == "-1" else "human")

    for user, time, *_ in _table(folder / "users.csv.gz"):
        yield act(time, "membership", user)
    for row in _table(folder / "posts.csv.gz"):
        yield act(row[4], "message", row[5])
    for row in _table(folder / "comments.csv.gz"):
        yield act(row[2], "message", row[3])
    for row in _table(folder / "votes.csv.gz"):
        yield act(f"{row[3]}T00:00", "reaction", row[4])


def _cdnow(data: Path) -> Iterator[Act]:
    for customer, date, _, _ in _table(data / "orders_cdnow" / "transactions.csv.gz"):
        yield Act(f"{date[0:4]}-{date[4:6]}-{date[6:8]}T00:00", "order", customer, "human")


class _Source(NamedTuple):
    community_id: str
    platform: str
    read: Callable[[Path], Iterator[Act]]
    repeated: int


SOURCES: dict[str, _Source] = {
    "irc_duraspace": _Source("duraspace", "irc", _irc, 0),
    "checkins_gowalla_nyc": _Source("gowalla-nyc", "gowalla", _gowalla, 6),
    "stackexchange_bicycles_meta": _Source("bicycles-meta", "stackexchange", _bicycles, 0),
    "orders_cdnow": _Source("cdnow", "cdnow", _cdnow, 0),
}


def _start(time: str, grain: Grain) -> datetime:
    return datetime.fromisoformat(time[: CUT[grain]] + FILL[grain]).replace(tzinfo=UTC)


def read(trace: str, data: Path) -> Numbers:
    """The numbers of one trace of SOURCES, from the files in `data`."""
    source = SOURCES[trace]
    acts = list(source.read(data))
    activity: dict[Grain, dict[tuple[datetime, str, str], tuple[int, int]]] = {}
    for grain in ("minute", "hour", "day"):
        authors: dict[tuple[str, str, str], list[str]] = defaultdict(list)
        for act in acts:
            authors[act.time[: CUT[grain]], act.family, act.actor_kind].append(act.author)
        activity[grain] = {
            (_start(time, grain), family, kind): (len(who), len(set(who)))
            for (time, family, kind), who in authors.items()
        }
    days: dict[str, Counter[str]] = defaultdict(Counter)
    for act in acts:
        days[act.time[:10]][act.author] += 1
    return Numbers(
        community_id=source.community_id,
        platform=source.platform,
        delivered=len(acts) + source.repeated,
        facts=len(acts),
        activity=activity,
        members_per_day={_start(day, "day"): len(who) for day, who in days.items()},
        events_of_members={_start(day, "day"): tuple(sorted(who.values())) for day, who in days.items()},
        families=dict(Counter(act.family for act in acts)),
    )


def cdnow_cents(data: Path) -> int:
    """All money of the CDNOW purchases, in cents, added as whole numbers."""
    total = 0
    for *_, dollars in _table(data / "orders_cdnow" / "transactions.csv.gz"):
        whole, _, part = dollars.partition(".")
        total += int(whole) * 100 + int(part.ljust(2, "0"))
    return total
