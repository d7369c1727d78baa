"""`streams reconcile` and `streams restate`: prove the stored numbers against the facts, and repair a range."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from streams.commands import settings_of
from streams.commands.problems import FINDINGS, Refused

From = Annotated[
    str | None, typer.Option("--from", metavar="TIME", help="First instant, as 2026-01-31 or 2026-01-31T10:00Z (UTC).")
]
To = Annotated[str | None, typer.Option("--to", metavar="TIME", help="End of the range, not included.")]


def instant(text: str, option: str) -> datetime:
    """An instant from ISO 8601; without a zone it is UTC. Raises `Refused`."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Refused(
            f"{option} {text}", "this is no date or time", "write it as 2026-01-31 or 2026-01-31T10:00Z"
        ) from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def period(start: str | None, end: str | None) -> tuple[datetime | None, datetime | None]:
    """The range `--from` to `--to`; None stands for all there is. Raises `Refused` when it is empty."""
    first = instant(start, "--from") if start else None
    last = instant(end, "--to") if end else None
    if first and last and first >= last:
        raise Refused("the range is empty", f"--from {first.isoformat()} is not before --to {last.isoformat()}")
    return first, last


def reconcile(
    ctx: typer.Context,
    start: From = None,
    end: To = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array of differences.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="Print at most this many differences (not with --json).")] = 20,
) -> None:
    """Recompute every number from the raw facts and show each that differs from the stored one: there must be none.

    Exit code 0 when all agree, 1 when something differs. What differs is looked at twice, some seconds apart, because a
    running pipeline may be a moment behind its facts.

    Examples:

    - `streams reconcile`
    - `streams reconcile --from 2026-01-01 --to 2026-02-01 --json`
    """
    first, last = period(start, end)
    settings = settings_of(ctx)
    from streams.clickhouse import Warehouse
    from streams.reconcile import reconcile as compare

    warehouse = Warehouse(settings.warehouse)
    try:
        differences = compare(warehouse, first, last)
    finally:
        warehouse.close()
    if as_json:
        rows = [
            {"aggregate": one.aggregate, "key": one.key, "stored": one.stored, "recomputed": one.recomputed}
            for one in differences
        ]
        typer.echo(json.dumps(rows, indent=2, ensure_ascii=False, default=str))
    elif not differences:
        typer.echo("reconcile: every stored number equals the one recomputed from the facts")
    else:
        for one in differences[:limit]:
            key = " ".join(f"{name}={value}" for name, value in one.key.items())
            typer.echo(f"{one.aggregate}  {key}")
            typer.echo(f"    stored      {_numbers(one.stored)}")
            typer.echo(f"    recomputed  {_numbers(one.recomputed)}")
        more = f" ({limit} shown)" if len(differences) > limit else ""
        typer.echo(
            f"reconcile: {len(differences)} differences{more}; repair: streams restate --from ... --to ...", err=True
        )
    if differences:
        raise typer.Exit(FINDINGS)


def restate(
    ctx: typer.Context,
    start: From = None,
    end: To = None,
    community: Annotated[
        list[str] | None, typer.Option("--community", metavar="ID", help="Only this community; may be repeated.")
    ] = None,
) -> None:
    """Recompute every number of a range from the facts, and store it; safe beside running workers, and to repeat.

    Examples:

    - `streams restate --from 2026-01-01 --to 2026-02-01`
    - `streams restate --community climbing-hall`
    """
    first, last = period(start, end)
    settings = settings_of(ctx)
    from streams.clickhouse import Warehouse
    from streams.reconcile import restate as request

    warehouse = Warehouse(settings.warehouse)
    try:
        buckets = request(settings, warehouse, first, last, community or ())
    finally:
        warehouse.close()
    typer.echo(f"restate: {buckets:,} buckets recomputed from the facts")


def _numbers(values: dict[str, Any] | None) -> str:
    return "(no row)" if values is None else " ".join(f"{name}={value}" for name, value in values.items())
