"""`streams communities`: settings of communities, from a file into force."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.commands import settings_of

if TYPE_CHECKING:
    from streams.communities.apply import Tell
    from streams.communities.settings import Community
    from streams.processors.invalidations import Invalidation
    from streams.settings import Settings

app = typer.Typer(
    no_args_is_help=True, help="Settings of communities: zone, rituals, values, ladder, streaks, holidays."
)

File = Annotated[Path, typer.Argument(metavar="FILE", help="Settings as YAML; examples/communities.yml explains them.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object.")]


@app.command()
def check(file: File, as_json: AsJson = False) -> None:
    """Read a settings file and say what is wrong with it: file, line, path and reason. Nothing is changed.

    Exit code 0 when it is good, 2 when it is not.

    Examples:

    - `streams communities check examples/communities.yml`
    - `streams communities check communities.yml --json`
    """
    from streams.communities.file import read

    settings = read(file)
    if as_json:
        typer.echo(_json(settings.all))
        return
    every = settings.all.values()
    zones = {community.zone for community in every if community.zone}
    typer.echo(
        f"{file} is good: {len(settings.communities):,} communities in {len(zones):,} zones, "
        f"{sum(len(community.rituals) for community in every):,} rituals, "
        f"{sum(len(community.values) for community in every):,} values"
    )


@app.command()
def apply(
    ctx: typer.Context,
    file: File,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make the settings of a file those in force, and have every number computed anew that depends on what changed.

    The file is the whole truth: what it does not mention falls back to the defaults. Applying it again changes nothing.
    A running worker computes the numbers; it must not be restarted.

    Examples:

    - `streams communities apply communities.yml --dry-run`
    - `streams communities apply communities.yml`
    """
    from streams.clickhouse import Warehouse
    from streams.communities.apply import apply as put_in_force
    from streams.communities.file import read

    wanted = read(file)
    settings = settings_of(ctx)
    warehouse = Warehouse(settings.warehouse)
    try:
        applied = put_in_force(warehouse, wanted, telling(settings), dry_run)
    finally:
        warehouse.close()
    if as_json:
        typer.echo(json.dumps({"changed": applied.changed, "restated": applied.restated}, indent=2, ensure_ascii=False))
        return
    for community, parts in applied.changed.items():
        typer.echo(f"{community or 'defaults'}: {', '.join(parts) or 'listed, sets nothing'}")
    if not applied.changed:
        typer.echo("nothing changed: these settings are in force")
    elif dry_run:
        typer.echo(f"{len(applied.restated):,} communities would be computed anew; this was a dry run")
    else:
        typer.echo(f"applied; numbers of {len(applied.restated):,} communities are being computed anew")


@app.command()
def show(
    ctx: typer.Context,
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="Settings of this file.", show_default="those in force")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """The settings of a file, or those in force: what each community sets, and what all others have.

    Examples:

    - `streams communities show`
    - `streams communities show communities.yml --json`
    """
    if file:
        from streams.communities.file import read

        every = dict(read(file).all)
    else:
        from streams.clickhouse import Warehouse
        from streams.communities.apply import in_force

        warehouse = Warehouse(settings_of(ctx).warehouse)
        try:
            every = {community: known.settings for community, known in in_force(warehouse).items()}
        finally:
            warehouse.close()
    if as_json:
        typer.echo(_json(every))
        return
    for community, said in sorted(every.items()):
        for line in _lines(community or "defaults", said):
            typer.echo(line)


def telling(settings: Settings) -> Tell:
    """What publishes invalidations and waits until the broker has them."""
    from streams.kafka import LARGEST_RECORD
    from streams.processors import invalidations
    from streams.publisher import RawProducer
    from streams.topics.internal import INVALIDATIONS

    def tell(told: Sequence[Invalidation]) -> None:
        if not told:
            return
        topic = INVALIDATIONS.topic(settings.kafka.topic_prefix)
        with RawProducer(settings.kafka, max_record_bytes=LARGEST_RECORD) as producer:
            for each in told:
                producer.send(topic, invalidations.encode(each), each.community_id.encode())

    return tell


def _json(every: Mapping[str, Community]) -> str:
    """The defaults and all communities, in the shape of the file."""
    stated = {community: json.loads(said.stated) for community, said in every.items()}
    return json.dumps({"defaults": stated.pop(""), "communities": stated}, indent=2, ensure_ascii=False)


def _lines(name: str, said: Community) -> list[str]:
    """What is set, a line a part."""
    lines = [name]
    if said.name or said.since:
        lines.append(f"  name      {said.name}" + (f" since {said.since}" if said.since else ""))
    if said.zone:
        lines.append(f"  zone      {said.zone}")
    for title, ritual in said.rituals.items():
        days = ", ".join(ritual.weekdays) or (f"day {ritual.month_day}" if ritual.month_day else "")
        when = f"{ritual.at // 60:02}:{ritual.at % 60:02}, {ritual.duration_minutes} minutes"
        lines.append(f"  ritual    {title}: every {ritual.every}{f' on {days}' if days else ''} at {when}")
    for title, value in said.values.items():
        lines.append(f"  value     {title}: {', '.join(value.terms)}")
    for level in said.ladder or ():
        lines.append(
            f"  level     {level.level}: weight {level.weight:g}; in {level.window_days} days {level.min_active_days} "
            f"active, {level.min_contributions} contributions, {level.min_hosted_or_cocreated} hosted or co-created; "
            f"grace {level.grace_days} days"
        )
    if said.streaks:
        grace, freeze = said.streaks.grace_hours, said.streaks.freeze_days
        lines.append(f"  streaks   {grace} hours of grace, {freeze} days frozen")
    for day, title in said.holidays.items():
        lines.append(f"  holiday   {day} {title}")
    return lines if len(lines) > 1 else [f"{name}\n  (sets nothing)"]
