"""What the warehouse says about its views: a comment a view and a comment a column, made from the catalog."""

from __future__ import annotations

from collections.abc import Mapping

from streams.catalog import ALL, COLUMNS, RELATIONS


def views() -> tuple[str, ...]:
    """Every view the catalog knows, each once, metrics first."""
    return tuple(
        dict.fromkeys([*(view for metric in ALL for view in metric.views), *(relation.view for relation in RELATIONS)])
    )


def view_comment(view: str) -> str:
    """What one row of a view is, and which metrics are read from it. Raises LookupError for an unknown view."""
    relations = [relation.words for relation in RELATIONS if relation.view == view]
    metrics = [f"{metric.title}: {metric.words}" for metric in ALL if view in metric.views]
    if not relations and not metrics:
        raise LookupError(f"{view} is in no file of streams/catalog")
    return " ".join([*relations, *metrics])


def column_comments(view: str) -> Mapping[str, str]:
    """Column -> comment, for every column name that the catalog can explain in this view."""
    found = dict(COLUMNS)
    for relation in RELATIONS:
        if relation.view == view:
            found.update(relation.columns)
    for metric in ALL:
        if view in metric.views:
            found.update(metric.columns)
    return found
