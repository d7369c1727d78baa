"""`streams migrate`: bring the tables and views of the warehouse up to date."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from streams.commands import settings_of
from streams.commands.problems import FINDINGS, USAGE, Refused


def migrate(
    ctx: typer.Context,
    show_status: Annotated[
        bool, typer.Option("--status", help="Only show which files are applied; exit code 1 when some are pending.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be applied, and change nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array.")] = False,
) -> None:
    """Apply the SQL files of sql/migrations that are pending, then recreate the views.

    Safe to run again, also after a crash.

    Examples:

    - `streams migrate --status`
    - `streams migrate`
    """
    settings = settings_of(ctx)
    from streams.clickhouse import Warehouse
    from streams.migrations import migrate as apply
    from streams.migrations import status

    if show_status and dry_run:
        raise Refused("--status and --dry-run", "choose one of them", "streams migrate --help", USAGE)
    warehouse = Warehouse(settings.warehouse)
    try:
        files = status(warehouse) if show_status else apply(warehouse, dry_run=dry_run, metrics=settings.metrics)
    finally:
        warehouse.close()
    unfinished = [one for one in files if one.status in ("pending", "running")]
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in files], indent=2, ensure_ascii=False))
    else:
        for one in files:
            state = f"would be {one.status}" if dry_run else one.status
            half = f" ({one.done} of {one.statements} statements done before)" if 0 < one.done < one.statements else ""
            typer.echo(f"{state:<8}  {one.name}  {one.title}{half}")
        if not files:
            typer.echo(
                "nothing pending; " + ("the views would be recreated" if dry_run else "the views were recreated")
            )
        elif show_status:
            typer.echo(f"{len(unfinished)} pending; next: streams migrate" if unfinished else "all applied")
    if show_status and unfinished:
        raise typer.Exit(FINDINGS)
