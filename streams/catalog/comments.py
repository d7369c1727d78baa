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


def statement(view: str, columns: Mapping[str, str]) -> str:
    """The statement that puts the comments on a view of the analysts' database.

    `columns` maps each column the engine shows for the view to what it says without the catalog (a view with parameters
    shows none). Raises LookupError for an unknown view.
    """
    known = column_comments(view)
    comments = {name: known.get(name, otherwise) for name, otherwise in columns.items()}
    parts = [f"COMMENT COLUMN `{name}` {_literal(words)}" for name, words in comments.items() if words]
    return f"ALTER TABLE {{db}}.{view} " + ", ".join([*parts, f"MODIFY COMMENT {_literal(view_comment(view))}"])


def _literal(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
