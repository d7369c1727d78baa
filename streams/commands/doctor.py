"""`streams doctor`: is everything well, and if not, what to do."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from streams.commands import settings_of
from streams.commands.problems import FINDINGS, Refused

MARKS = {"ok": ("ok  ", "green"), "warn": ("warn", "yellow"), "fail": ("FAIL", "red")}


def doctor(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    repair: Annotated[
        bool, typer.Option("--repair", help="Make the embedded directory openable again; the stack must be stopped.")
    ] = False,
) -> None:
    """Check every part: settings, broker, topics, warehouse, migrations, worker, lag, freshness, dead letters, disk.

    Exit code 0 when nothing fails, 1 when something does; each finding names the next step.

    Examples:

    - `streams doctor`
    - `streams doctor --json`
    """
    settings = settings_of(ctx)
    if repair:
        from streams.embedded.directory import DirectoryInUse, repair_directory

        try:
            done = repair_directory(settings.data_dir)
        except DirectoryInUse as error:
            raise Refused("the directory is in use", str(error), "stop the stack first") from None
        typer.echo("\n".join(done) or f"nothing to repair in {settings.data_dir}")
        return

    from streams.doctor import examine, worst

    checks = examine(settings)
    whole = worst(checks)
    if as_json:
        typer.echo(
            json.dumps({"status": whole, "checks": [asdict(check) for check in checks]}, indent=2, ensure_ascii=False)
        )
    else:
        width = max(len(check.name) for check in checks)
        for check in checks:
            mark, colour = MARKS[check.status]
            typer.echo(f"{typer.style(mark, fg=colour)}  {check.name:<{width}}  {check.found}")
            if check.next and check.status != "ok":
                typer.echo(f"      {'':<{width}}  next: {check.next}")
        failing = sum(check.status == "fail" for check in checks)
        typer.echo("\nall well" if whole == "ok" else f"\n{failing} failing" if failing else "\nworking, with warnings")
    if whole == "fail":
        raise typer.Exit(FINDINGS)
