"""What is written down about a number: its words, its formula, where it is read, what it does not say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Metric:
    """One number that a community is run by.

    Everything that is said about it elsewhere (comments in the warehouse, `docs/metrics.md`, `streams metrics`) is
    made from this. Texts are sentences of plain English without markup, but for names of columns in backticks.
    """

    name: str
    """Identifier: lower case, words joined by underscores, unique."""

    title: str
    """Heading of a few words."""

    words: str
    """What it says about a community, for somebody who has never seen it."""

    formula: str
    """How it is computed, exactly enough to compute it by hand from events."""

    unit: str
    """Of its main column: `members`, `events`, `seconds`, `share` (0 to 1), `ratio`, ..."""

    grain: str
    """What one row is: `community, day`."""

    view: str
    """The view in the analysts' database that it is read from."""

    columns: Mapping[str, str]
    """Column of the view -> what it holds. Columns of `streams.catalog.columns.COLUMNS` need no words here."""

    caveats: tuple[str, ...]
    """What it does not say, and where it misleads; a sentence each."""

    reference: str
    """Where the definition comes from: a publication or another product's documentation, or `ours` and why."""

    also: tuple[str, ...] = ()
    """Views of the same columns: other grains, or `_at` a moment."""

    @property
    def views(self) -> tuple[str, ...]:
        """Every view it is read from, the main one first."""
        return (self.view, *self.also)


@dataclass(frozen=True, slots=True)
class Relation:
    """A view that holds no metric of its own: facts, settings, the state of the pipeline."""

    view: str
    words: str
    """What one row is, and what the view is for."""

    columns: Mapping[str, str]
    """Column -> what it holds, but for those of `COLUMNS` and those of the storage table of the same name."""
