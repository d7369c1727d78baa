"""`streams topics`: the Kafka topics of the contract and of the pipeline itself."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from streams.commands import settings_of
from streams.commands.problems import FINDINGS

app = typer.Typer(no_args_is_help=True, help="Create the Kafka topics, and look at them.")

AsJson = Annotated[bool, typer.Option("--json", help="One JSON array instead of a table.")]
STYLES = {"created": "green", "raised": "green", "configured": "green", "differs": "yellow", "unchanged": "dim"}


@app.command()
def apply(
    ctx: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    configure: Annotated[
        bool,
        typer.Option("--configure", help="Also set retention and size limits that differ; may delete old records."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Create the topics that are missing, with partitions, retention and size limits; run it as often as you like.

    Too few partitions are raised where the broker can. Every other difference is reported with the next step, and left
    alone. Exit code 1 when a difference remains.

    Examples:

    - `streams topics apply`
    - `streams --set kafka.partitions=16 topics apply --dry-run`
    """
    from streams.kafka_topics import apply_topics

    settings = settings_of(ctx)
    changes = apply_topics(settings.kafka, settings.ingest.max_record_bytes, configure=configure, dry_run=dry_run)
    if as_json:
        typer.echo(json.dumps([asdict(change) for change in changes], indent=2))
    else:
        from rich import box
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("topic", no_wrap=True)
        table.add_column("what", no_wrap=True)
        table.add_column("detail", overflow="fold")
        table.add_column("next step", overflow="fold")
        for change in changes:
            what = Text(change.action, style=STYLES[change.action])
            table.add_row(Text(change.topic), what, Text(change.detail), Text(change.next))
        console = Console()
        if not console.is_terminal:
            console.width = 200
        console.print(table)
        if dry_run:
            console.print("Nothing was changed: this was a dry run.", style="dim")
    if any(change.action == "differs" for change in changes):
        raise typer.Exit(FINDINGS)


@app.command("list")
def list_(
    ctx: typer.Context,
    group: Annotated[str, typer.Option("--group", help="Also show how far this consumer group is behind.")] = "",
    as_json: AsJson = False,
) -> None:
    """Every topic of the contract: whether it exists, its partitions, the records written to it so far.

    Examples:

    - `streams topics list`
    - `streams topics list --group community.ingest --json`
    """
    from streams.kafka import committed, end_offsets
    from streams.kafka_topics import wanted_topics

    settings = settings_of(ctx)
    names = [topic.name for topic in wanted_topics(settings.kafka)]
    ends = end_offsets(settings.kafka, names)
    done = committed(settings.kafka, group) if group else {}
    rows: list[dict[str, str | int | bool]] = []
    for name in names:
        partitions = [partition for partition in ends if partition[0] == name]
        row: dict[str, str | int | bool] = {
            "topic": name,
            "exists": bool(partitions),
            "partitions": len(partitions),
            "written": sum(ends[partition] for partition in partitions),
        }
        if group:
            row["lag"] = sum(max(0, ends[partition] - done.get(partition, 0)) for partition in partitions)
        rows.append(row)
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("topic", no_wrap=True)
    for column in ("partitions", "written", *(["lag"] if group else [])):
        table.add_column(column, justify="right")
    for row in rows:
        numbers = [f"{row[column]:,}" for column in ("partitions", "written", *(["lag"] if group else []))]
        if not row["exists"]:
            numbers = ["missing", *("" for _ in numbers[1:])]
        table.add_row(Text(str(row["topic"])), *numbers)
    Console().print(table)
    if not all(row["exists"] for row in rows):
        typer.echo("Create the missing ones: streams topics apply", err=True)
