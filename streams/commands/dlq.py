"""`streams dlq`: rejected records, to be looked at, published again or put aside."""

from __future__ import annotations

import base64
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streams.commands import settings_of
from streams.commands.problems import FINDINGS, Refused

if TYPE_CHECKING:
    from streams.dead_letters import Filter, Listed
    from streams.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Look at rejected records, publish them again, or put them aside.")

Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Ids, or their first 6 or more characters.")]
Topic = Annotated[str, typer.Option("--topic", help="Only of this topic; a family's name will do: message.")]
Reason = Annotated[str, typer.Option("--reason", help="Only with this reason: invalid_json, unknown_type ...")]
Since = Annotated[str, typer.Option("--since", help="Only stored since then: 30m, 2h, 7d, or 2026-01-31T08:30 (UTC).")]
Limit = Annotated[int, typer.Option("--limit", min=1, help="So many at the most, the newest first.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask, even for many.")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of text.")]

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_ID = re.compile(r"[0-9a-f]{6,32}")


@app.command("list")
def list_(
    ctx: typer.Context,
    ids: Ids = None,
    topic: Topic = "",
    reason: Reason = "",
    since: Since = "",
    status: Annotated[str, typer.Option("--status", help="open, replayed, discarded, or all.")] = "open",
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """Rejected records, newest first, with the reason and a glimpse of the value.

    Examples:

    - `streams dlq list`
    - `streams dlq list --topic order --reason invalid_field --since 1d --json`
    """
    settings = settings_of(ctx)
    found = _find(settings, _filter(settings, ids, topic, reason, since, "" if ids else status, limit))
    if as_json:
        typer.echo(json.dumps([_plain(asdict(each)) for each in found], indent=2, ensure_ascii=False))
        return
    if not found:
        typer.echo("No dead letters match.")
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("id", "stored", "from", "status"):
        table.add_column(column, no_wrap=True)
    table.add_column("why", overflow="fold", ratio=2)
    table.add_column("value", overflow="ellipsis", no_wrap=True, ratio=1)
    for each in found:
        why = f"{each.reason}: {f'{each.field}: ' if each.field else ''}{each.detail}"
        table.add_row(
            each.record_id[:12],
            f"{each.ingested_at:%Y-%m-%d %H:%M:%S}",
            Text(f"{each.topic} {each.partition}/{each.offset}"),
            each.status,
            Text(_visible(why)),
            Text(_visible(each.glimpse), style="dim"),
        )
    console = Console()
    if not console.is_terminal:
        console.width = 200
    console.print(table)
    if len(found) == limit:
        console.print(f"The newest {limit}; --limit shows more.", style="dim")
    console.print("One in full: streams dlq show ID   Publish again: streams dlq replay ID ...", style="dim")


@app.command()
def show(
    ctx: typer.Context,
    id: Annotated[str, typer.Argument(metavar="ID", help="Its id, or the first 6 or more characters.")],
    raw: Annotated[bool, typer.Option("--raw", help="Only the value, byte for byte, to standard output.")] = False,
    as_json: AsJson = False,
) -> None:
    """One rejected record in full: where it came from, why it was rejected, its key, headers and value.

    Examples:

    - `streams dlq show 5f3a90c1`
    - `streams dlq show 5f3a90c1 --raw > value.json`
    """
    from streams.clickhouse import Warehouse
    from streams.dead_letters import fetch

    settings = settings_of(ctx)
    found = _find(settings, _filter(settings, [id], "", "", "", "", 2))
    if len(found) != 1:
        several = "several dead letters have ids that begin so" if found else "no dead letter has such an id"
        raise Refused(f"{id}: {several}", "", "streams dlq list --status all shows the ids", FINDINGS)
    warehouse = Warehouse(settings.warehouse)
    try:
        [(_, letter)] = fetch(warehouse, [found[0].record_id])
    finally:
        warehouse.close()
    value = letter.value
    if raw:
        sys.stdout.buffer.write(value or b"")
        return
    if as_json:
        whole = asdict(found[0])
        del whole["glimpse"]
        whole["key_base64"] = None if letter.key is None else base64.b64encode(letter.key).decode()
        whole["value_base64"] = None if value is None else base64.b64encode(value).decode()
        whole["headers"] = [[name, base64.b64encode(text).decode()] for name, text in letter.headers]
        typer.echo(json.dumps(_plain(whole), indent=2, ensure_ascii=False))
        return
    each = found[0]
    typer.echo(f"id         {each.record_id}")
    typer.echo(
        f"status     {each.status}{'' if each.status == 'open' else f' at {each.status_at:%Y-%m-%d %H:%M:%S} UTC'}"
    )
    typer.echo(f"from       {each.topic}, partition {each.partition}, offset {each.offset}")
    typer.echo(f"received   {each.received_at:%Y-%m-%d %H:%M:%S} UTC, stored {each.ingested_at:%Y-%m-%d %H:%M:%S} UTC")
    typer.echo(f"reason     {each.reason}{f', field {_visible(each.field)}' if each.field else ''}")
    typer.echo(f"           {_visible(each.detail)}")
    typer.echo(f"key        {_shown(letter.key)}")
    for name, text in letter.headers:
        typer.echo(f"header     {_visible(name)}: {_shown(text)}")
    typer.echo(f"value      {each.value_bytes:,} bytes{'; all of them: --raw' if each.value_bytes > 4096 else ''}")
    typer.echo(_shown(value))


@app.command()
def replay(
    ctx: typer.Context,
    ids: Ids = None,
    topic: Topic = "",
    reason: Reason = "",
    since: Since = "",
    limit: Limit = 1000,
    force: Annotated[bool, typer.Option("--force", help="Also those that were replayed or discarded before.")] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Publish rejected records again, as they were, to the topic they came from: after the reason is gone.

    A record whose reason is still there becomes a dead letter again. Facts are not doubled, however often it is run.

    Examples:

    - `streams dlq replay 5f3a90c1`
    - `streams dlq replay --topic order --reason unknown_version --yes`
    """
    from streams.clickhouse import Warehouse
    from streams.dead_letters import replay as replayed
    from streams.kafka import LARGEST_RECORD
    from streams.publisher import RawProducer

    settings = settings_of(ctx)
    found = _find(settings, _filter(settings, ids, topic, reason, since, "" if force or ids else "open", limit))
    if not _agreed(found, "publish again", yes, limit):
        raise typer.Exit(FINDINGS)
    warehouse = Warehouse(settings.warehouse)
    try:
        with RawProducer(settings.kafka, max_record_bytes=LARGEST_RECORD) as producer:
            outcome = replayed(warehouse, producer, found, datetime.now(UTC), force=force)
    finally:
        warehouse.close()
    if as_json:
        typer.echo(json.dumps({"replayed": outcome.changed, "skipped": outcome.skipped}))
        return
    typer.echo(f"{outcome.changed:,} published again{_skipped(outcome.skipped, '--force publishes them once more')}")


@app.command()
def discard(
    ctx: typer.Context,
    ids: Ids = None,
    topic: Topic = "",
    reason: Reason = "",
    since: Since = "",
    limit: Limit = 1000,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Put rejected records aside: they no longer count as open, and stay readable until they expire after 90 days.

    Examples:

    - `streams dlq discard 5f3a90c1`
    - `streams dlq discard --reason invalid_json --since 1d --yes`
    """
    from streams.clickhouse import Warehouse
    from streams.dead_letters import discard as discarded

    settings = settings_of(ctx)
    found = _find(settings, _filter(settings, ids, topic, reason, since, "" if ids else "open", limit))
    if not _agreed(found, "discard", yes, limit):
        raise typer.Exit(FINDINGS)
    warehouse = Warehouse(settings.warehouse)
    try:
        outcome = discarded(warehouse, found, datetime.now(UTC))
    finally:
        warehouse.close()
    if as_json:
        typer.echo(json.dumps({"discarded": outcome.changed, "skipped": outcome.skipped}))
        return
    typer.echo(f"{outcome.changed:,} discarded{_skipped(outcome.skipped, 'replayed or discarded before')}")


def _skipped(count: int, why: str) -> str:
    return f", {count:,} skipped ({why})" if count else ""


def _agreed(found: Sequence[Listed], verb: str, yes: bool, limit: int) -> bool:
    """Whether to go on: one record needs no question, many do."""
    if not found:
        typer.echo("No dead letters match.", err=True)
        return False
    if len(found) == 1 or yes:
        return True
    by_reason = ", ".join(sorted({each.reason for each in found}))
    more = f" (the newest {limit}; --limit takes more)" if len(found) == limit else ""
    question = f"{verb} {len(found):,} dead letters{more}: {by_reason}"
    if not sys.stdin.isatty():
        raise Refused(f"{question}?", "nobody is there to say yes", "add --yes, or name fewer of them")
    return typer.confirm(f"{question}?")


def _find(settings: Settings, chosen: Filter) -> list[Listed]:
    from streams.clickhouse import Warehouse
    from streams.dead_letters import list_dead_letters

    warehouse = Warehouse(settings.warehouse)
    try:
        return list_dead_letters(warehouse, chosen)
    finally:
        warehouse.close()


def _filter(
    settings: Settings, ids: Sequence[str] | None, topic: str, reason: str, since: str, status: str, limit: int
) -> Filter:
    from streams.dead_letters import Filter
    from streams.topics import by_name

    chosen = Filter(ids=tuple(each.lower() for each in ids or ()), reason=reason, limit=limit)
    wrong = [each for each in chosen.ids if not _ID.fullmatch(each)]
    if wrong:
        raise Refused(
            f"{wrong[0]!r} is no id", "an id has 32 of 0-9 and a-f; the first 6 will do", "streams dlq list shows them"
        )
    if len(chosen.ids) > 100:
        raise Refused(
            f"{len(chosen.ids)} ids are too many at once", "100 will do", "name them by --topic, --reason or --since"
        )
    if topic:
        prefix = settings.kafka.topic_prefix
        named = by_name[topic].topic(prefix) if topic in by_name else topic
        chosen = replace(chosen, topic=named if named.startswith(prefix) else prefix + named)
    if since:
        chosen = replace(chosen, since=moment(since, datetime.now(UTC)))
    match status:
        case "" | "all":
            return chosen
        case "open" | "replayed" | "discarded":
            return replace(chosen, status=status)
    raise Refused(f"{status!r} is no status", "", "use open, replayed, discarded or all")


def moment(text: str, now: datetime) -> datetime:
    """`90s`, `30m`, `2h` and `7d` ago, or an ISO date or time, UTC when it has no zone."""
    ago = re.fullmatch(r"(\d{1,6})([smhd])", text)
    if ago:
        return now - timedelta(seconds=int(ago[1]) * _UNITS[ago[2]])
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise Refused(f"{text!r} is no time", "", "use 30m, 2h, 7d or 2026-01-31T08:30") from None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def _plain(record: dict[str, Any]) -> dict[str, Any]:
    """Times as ISO text."""
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in record.items()}


def _visible(text: str) -> str:
    """Text from outside must not steer the terminal."""
    return "".join(c if c.isprintable() else " " if c in "\t\r\n" else "\ufffd" for c in text)


def _shown(data: bytes | None, limit: int = 4096) -> str:
    """Bytes for a reader: as text when they are UTF-8, else in hex."""
    if data is None:
        return "(none)"
    try:
        # A cut may fall inside a character: that is no fault of the record.
        text = data[:limit].decode("utf-8", "strict" if len(data) <= limit else "ignore")
    except UnicodeDecodeError:
        text = f"(not UTF-8, in hex) {data[: limit // 4].hex(' ')}"
        return f"{text} ..." if len(data) > limit // 4 else text
    return "\n".join(_visible(line) for line in text.split("\n")) + (" ..." if len(data) > limit else "")
