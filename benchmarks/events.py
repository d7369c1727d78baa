"""The events every measurement is fed with: simulated communities, encoded once and kept in the temporary directory."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import msgspec

from streams.simulate import simulate
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


def prepared(count: int) -> Path:
    """A file of at least `count` events in event-time order, made when there is none; a longer one serves as well.

    One line an event: topic suffix, key and JSON value, separated by tabs, which JSON never holds unescaped.
    """
    directory, name = cache_dir(), f"events-{SEED}-{COMMUNITIES}-{RATE:g}"
    for path in sorted(directory.glob(f"{name}-*.tsv"), key=lambda path: int(path.stem.rsplit("-", 1)[1])):
        if int(path.stem.rsplit("-", 1)[1]) >= count:
            return path
    path = directory / f"{name}-{count}.tsv"
    started, encode = time.monotonic(), msgspec.json.Encoder().encode
    half = path.with_suffix(".part")
    with half.open("wb", buffering=COPYING) as out:
        for event in islice(simulate(SEED, COMMUNITIES, START, None, RATE), count):
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


def read(count: int, first: int = 0) -> Iterator[Encoded]:
    """`count` events from the `first` on, in order of event time."""
    with prepared(first + count).open("rb", buffering=COPYING) as lines:
        for line in islice(lines, first, first + count):
            suffix, key, value = line.rstrip(b"\n").split(b"\t", 2)
            yield Encoded(suffix.decode(), key, value)
