"""Which event ids may have been stored before: a Bloom filter of `event_keys`, kept up to date by its new parts.

It never overlooks an id that was stored before the call, whoever stored it; of those that were not, it takes a few for
stored: one in 2,000 at 32 bits an id, one in 200 at 16. So the table itself is asked about duplicates and little else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np
import pyarrow as pa

from streams.processors.facts import UInt64s

Bools = np.ndarray[Any, np.dtype[np.bool_]]

SLICE_ROWS = 1 << 19
"""Keys read at once: what adding them takes is some fifty bytes each, for the moment."""


class Tables(Protocol):
    """What the filter needs of the warehouse."""

    def rows(
        self, sql: str, parameters: dict[str, Any] | None = None, settings: dict[str, Any] | None = None
    ) -> list[Any]:
        """Rows of a query."""

    def arrow(
        self, sql: str, parameters: Mapping[str, Any] | None = None, settings: Mapping[str, Any] | None = None
    ) -> pa.Table:
        """The same as columns."""


class Part(NamedTuple):
    """An active part of `event_keys`: the inserts it holds are numbered `first` to `last`."""

    name: str
    partition: str
    first: int
    last: int
    rows: int


class BloomFilter:
    """A set of 64-bit hashes that may hold more than was added. Five bits of one word are set for each.

    Blocked Bloom filters: Putze, Sanders, Singler, "Cache-, Hash- and Space-Efficient Bloom Filters", 2007.
    """

    def __init__(self, size_bytes: int) -> None:
        self.words = np.zeros(max(1, size_bytes // 8), np.uint64)

    def _places(self, keys: UInt64s) -> tuple[UInt64s, UInt64s]:
        """The word of each key, chosen by its upper half, and the bits in it, by its lower half."""
        index = ((keys >> np.uint64(32)) * np.uint64(len(self.words))) >> np.uint64(32)
        bits = np.zeros(len(keys), np.uint64)
        for shift in range(0, 30, 6):
            bits |= np.uint64(1) << ((keys >> np.uint64(shift)) & np.uint64(63))
        return index, bits

    def add(self, keys: UInt64s) -> None:
        """Add hashes."""
        index, bits = self._places(keys)
        np.bitwise_or.at(self.words, index, bits)

    def holds(self, keys: UInt64s) -> Bools:
        """Whether each may have been added."""
        index, bits = self._places(keys)
        found: Bools = (self.words[index] & bits) == bits
        return found


class KnownKeys:
    """The filter of one worker. Not for several threads at once."""

    def __init__(self, size_bytes: int) -> None:
        self.size_bytes = size_bytes
        self.forget()

    def forget(self) -> None:
        """Begin anew: the next `refresh` reads everything that is stored."""
        self.read: dict[str, list[tuple[int, int]]] = {}
        self.filter = BloomFilter(self.size_bytes)

    def refresh(self, warehouse: Tables, block_id: int) -> None:
        """Take in what was stored since the last call, by whomever, but for the block `block_id`.

        Safe beside other writers and merges: a part counts as read when it was still active after it had been read.
        """
        parts = active_parts(warehouse)
        while unread := self.unread(parts):
            for keys in stored_keys(warehouse, unread, block_id):
                self.add(keys)
            parts = active_parts(warehouse)
            for part in set(unread).intersection(parts):
                self.read[part.partition] = joined([*self.read.get(part.partition, ()), (part.first, part.last)])

    def unread(self, parts: list[Part]) -> list[Part]:
        """Parts with inserts that were not read yet; all when the table was emptied and counts its inserts anew."""
        for partition, spans in self.read.items():
            if max((part.last for part in parts if part.partition == partition), default=-1) < spans[-1][1]:
                self.forget()
                break
        return [
            part
            for part in parts
            if not any(first <= part.first and part.last <= last for first, last in self.read.get(part.partition, ()))
        ]

    def add(self, keys: UInt64s) -> None:
        """Take in keys that this worker has stored."""
        self.filter.add(keys)

    def may_hold(self, keys: UInt64s) -> Bools:
        """Whether each may have been stored before the last `refresh`."""
        return self.filter.holds(keys)


def joined(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same numbers in as few spans as possible, in order; both ends belong to a span."""
    result: list[tuple[int, int]] = []
    for first, last in sorted(spans):
        if result and first <= result[-1][1] + 1:
            result[-1] = (result[-1][0], max(last, result[-1][1]))
        else:
            result.append((first, last))
    return result


def active_parts(warehouse: Tables) -> list[Part]:
    """The parts that a query would read now."""
    rows = warehouse.rows(
        "SELECT name, partition_id, min_block_number, max_block_number, rows FROM system.parts "
        "WHERE active AND database = '{store}' AND table = 'event_keys'"
    )
    return [Part(*row) for row in rows]


def stored_keys(warehouse: Tables, parts: list[Part], block_id: int) -> Iterator[UInt64s]:
    """The keys in some parts that not only the block `block_id` brought, in slices of the hash."""
    slices = 1 + sum(part.rows for part in parts) // SLICE_ROWS
    names = ", ".join(f"'{part.name}'" for part in parts)
    for number in range(slices):
        low, high = (2**64 * number // slices, 2**64 * (number + 1) // slices - 1)
        found = warehouse.arrow(
            f"SELECT event_key FROM {{store}}.event_keys WHERE _part IN ({names}) "
            f"AND event_key BETWEEN {low} AND {high} AND NOT (first_block = {block_id} AND last_block = {block_id})"
        )
        yield np.asarray(found["event_key"], np.uint64)
