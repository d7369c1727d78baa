"""`streams config`: what is set, to what, and where from."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from streams.commands import choices_of

app = typer.Typer(no_args_is_help=True, help="Look at the settings.")


@app.command()
def show(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array instead of a table.")] = False,
) -> None:
    """Every setting, its value, and whether it comes from a flag, the environment, `.env`, TOML or the default.

    Secrets are shown as \\*\\*\\*\\*\\*\\*\\*\\*.

    Examples:

    - `streams config show`
    - `streams --set kafka.bootstrap=kafka:9092 config show --json`
    """
    from streams.config import environment_name, explain, unknown_environment

    chosen = choices_of(ctx)
    settings = explain(chosen.config, chosen.overrides)
    if as_json:
        rows = [
            {
                "name": setting.name,
                "value": setting.shown,
                "origin": setting.origin,
                "environment": environment_name(setting.name.split(".")),
                "description": setting.description,
            }
            for setting in settings
        ]
        typer.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return

    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("setting", no_wrap=True)
    table.add_column("value", overflow="fold")
    table.add_column("from", overflow="fold")
    table.add_column("meaning", overflow="fold")
    for setting in settings:
        style = "dim" if setting.origin == "default" else "bold"
        table.add_row(
            setting.name, Text(setting.shown), Text(setting.origin, style=style), Text(setting.description, style="dim")
        )
    console = Console()
    if not console.is_terminal:
        console.width = 160
    console.print(table)
    console.print(
        "Change one with --set kafka.bootstrap=host:9092, with the environment as STREAMS_KAFKA__BOOTSTRAP=host:9092, "
        'or in streams.toml as \\[kafka] bootstrap = "host:9092".',
        style="dim",
    )
    for name in unknown_environment():
        typer.echo(f"warning: the environment has {name}, which sets nothing", err=True)
