"""The events every measurement is fed with: simulated communities, encoded once and kept in the temporary directory."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import msgspec

from streams.simulate import communities_of, simulate
from streams.topics import by_name

SEED = 1
COMMUNITIES = 200
START = datetime(2025, 6, 2, tzinfo=UTC)
RATE = 4.0
"""Events per second of event time: one million are about three days of 200 communities."""

COPYING = 1 << 22


class Encoded(NamedTuple):
    """One event on its way to Kafka: topic suffix, key and value."""

    suffix: str
    key: bytes
    value: bytes


def cache_dir() -> Path:
    """Where encoded events are kept between runs."""
    directory = Path(tempfile.gettempdir()) / "community-streams-bench"
    directory.mkdir(exist_ok=True)
    return directory


def spread(count: int, days: int) -> float:
    """The rate at which `count` events fill so many days: `simulate` takes the one before growth and decline."""
    chosen = communities_of(COMMUNITIES)
    weeks = range(max(1, days // 7))
    grown = sum(each.share * min(4.0, max(0.1, each.weekly_growth**week)) for each in chosen for week in weeks) / sum(
        each.share for each in chosen for _ in weeks
    )
    return count / (days * 86400) / grown


def prepared(count: int, days: int = 0) -> Path:
    """A file of at least `count` events in event-time order, made when there is none; a longer one serves as well.

    They begin at START and are RATE dense, or fill about so many `days` before START. One line an event: topic suffix,
    key and JSON value, separated by tabs, which JSON never holds unescaped.
    """
    start, rate = (START - timedelta(days), spread(count, days)) if days else (START, RATE)
    directory, name = cache_dir(), f"events-{SEED}-{COMMUNITIES}-{f'{days}-days' if days else f'{RATE:g}'}"
    for path in sorted(directory.glob(f"{name}-*.tsv"), key=lambda path: int(path.stem.rsplit("-", 1)[1])):
        held = int(path.stem.rsplit("-", 1)[1])
        if held == count or (held > count and not days):
            return path
    path = directory / f"{name}-{count}.tsv"
    started, encode = time.monotonic(), msgspec.json.Encoder().encode
    half = path.with_suffix(".part")
    with half.open("wb", buffering=COPYING) as out:
        for event in islice(simulate(SEED, COMMUNITIES, start, None, rate), count):
            out.write(
                b"%s\t%s/%s\t%s\n"
                % (
                    by_name[event["type"]].suffix.encode(),
                    event["community_id"].encode(),
                    event["member_id"].encode(),
                    encode(event),
                )
            )
    half.rename(path)
    print(f"made {count:,} events in {time.monotonic() - started:.0f} s: {path}", flush=True)
    return path


def read(count: int, first: int = 0, days: int = 0) -> Iterator[Encoded]:
    """`count` events from the `first` on, in order of event time; see `prepared`."""
    with prepared(first + count, days).open("rb", buffering=COPYING) as lines:
        for line in islice(lines, first, first + count):
            suffix, key, value = line.rstrip(b"\n").split(b"\t", 2)
            yield Encoded(suffix.decode(), key, value)
