"""A trace: public data of a real community, read as contract events."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

Event = dict[str, Any]


class TraceMissing(Exception):
    """The files of a trace are not where they were looked for."""


@dataclass(frozen=True)
class Trace:
    """One folder of public data and how it becomes events."""

    name: str
    folder: str
    community_id: str  # of every event; with a trailing "-" the first part of the ids of several communities
    platform: str
    description: str  # the mapping in a sentence, with what tells two events apart
    read: Callable[[Path], Iterable[Event]]  # folder -> events in any order

    def events(self, data_dir: Path) -> Iterator[Event]:
        """Contract dicts in order of `occurred_at` (ties in the order of the files), held in memory for sorting.

        Raises TraceMissing when `data_dir` does not hold the folder of this trace.
        """
        folder = data_dir / self.folder
        if not folder.is_dir():
            raise TraceMissing(
                f"trace {self.name}: {folder} does not exist. The data is not part of this project: "
                f"put the folder there, or name where it is with --data"
            )
        # Every reader writes times as UTC with a fixed width per trace up to the fraction, so text order is time order.
        yield from sorted(self.read(folder), key=_time)


def _time(event: Event) -> str:
    return str(event["occurred_at"]).rstrip("Z")


def rows(file: Path) -> Iterator[dict[str, str]]:
    """Rows of a gzipped CSV with a header. Raises TraceMissing when it is not there."""
    if not file.is_file():
        raise TraceMissing(f"{file} does not exist. Its folder's PROVENANCE.md says where the file comes from")
    with gzip.open(file, "rt", encoding="utf-8", newline="") as lines:
        yield from csv.DictReader(lines)


def pseudonym(trace: str, author: str) -> str:
    """16 hex digits that stand for an author of a trace: stable, and different in every trace."""
    return blake2b(author.encode(), key=trace.encode(), digest_size=8).hexdigest()


def clean(text: str) -> str:
    """Text as the contract takes it: NUL, which no string may hold, becomes U+FFFD."""
    return text.replace("\0", "\ufffd")
