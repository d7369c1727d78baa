"""The catalog as a document: Markdown for people, plain objects for programs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from streams.catalog import ALL, COLUMNS, RELATIONS, Metric

_HEAD = """# Metrics

What each number means, how it is computed, and where it is read. Made from `streams/catalog/`.
The same words are comments of the views and their columns; `streams metrics show NAME` has them with the SQL.

Unless a metric says otherwise: event time; days and weeks in the zone of the community; counted actors only (humans,
unless `metrics.counted_actor_kinds` says more); linked accounts are one member; erased members and hidden content are
gone.
"""


def plain(metric: Metric, sql: str) -> dict[str, Any]:
    """A metric as JSON has it; `sql` is the statement that makes its view."""
    return {
        "name": metric.name,
        "title": metric.title,
        "words": metric.words,
        "formula": metric.formula,
        "unit": metric.unit,
        "grain": metric.grain,
        "view": metric.view,
        "also": list(metric.also),
        "columns": dict(metric.columns),
        "caveats": list(metric.caveats),
        "reference": metric.reference,
        "sql": sql,
    }


def markdown(files: Mapping[str, str]) -> str:
    """The whole document; `files` maps each view to the name of its file in sql/views."""
    index = [f"| [{metric.title}](#{_anchor(metric.title)}) | {metric.unit} | `{metric.view}` |" for metric in ALL]
    others = [f"| {_link(relation.view, files)} | {_cell(relation.words)} |" for relation in RELATIONS]
    columns = [f"| `{name}` | {_cell(words)} |" for name, words in COLUMNS.items()]
    parts = [
        _HEAD,
        *("| Metric | Unit | View |", "|---|---|---|", *index, ""),
        *(_section(metric, files) for metric in ALL),
        *("## Other views", "", "| View | What it is |", "|---|---|", *others, ""),
        *("## Columns that mean the same everywhere", "", "| Column | Holds |", "|---|---|", *columns, ""),
    ]
    return "\n".join(parts)


def _section(metric: Metric, files: Mapping[str, str]) -> str:
    lines = [
        f"## {metric.title}",
        "",
        metric.words,
        "",
        f"- Name: `{metric.name}`. Unit: {metric.unit}. One row: {metric.grain}.",
        f"- Formula: {metric.formula}",
        f"- Read it from {', '.join(_link(view, files) for view in metric.views)}.",
        *(f"- Caveat: {caveat}" for caveat in metric.caveats),
        f"- Reference: {metric.reference}",
        "",
        "| Column | Holds |",
        "|---|---|",
        *(f"| `{name}` | {_cell(words)} |" for name, words in metric.columns.items()),
    ]
    return "\n".join(lines) + "\n"


def _link(view: str, files: Mapping[str, str]) -> str:
    return f"[`{view}`](../sql/views/{files[view]})"


def _anchor(title: str) -> str:
    """What a heading is linked by: lower case, hyphens for spaces, no other punctuation."""
    return "".join(letter for letter in title.lower().replace(" ", "-") if letter.isalnum() or letter in "-_")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
