"""`streams activity`: a live summary of every community, from the same view that dashboards read."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streams.commands import settings_of

if TYPE_CHECKING:
    from rich.table import Table

    from streams.clickhouse import Warehouse

WINDOWS = ("5m", "1h", "24h", "7d", "28d")


@dataclass(frozen=True)
class Community:
    """Rolling numbers of one community; each maps a window ("5m" ... "28d") to a count."""

    id: str
    events: dict[str, int]
    members: dict[str, int]
    engaged: dict[str, int]
    contributing: dict[str, int]


@dataclass(frozen=True)
class Summary:
    """What the warehouse says at one moment; `watermark` is None before the first event, `lag` is in records."""

    communities: tuple[Community, ...]
    watermark: datetime | None
    lag: int

    def freshness(self, now: datetime) -> str:
        """How far the numbers reach, in words."""
        if self.watermark is None:
            return "nothing stored yet"
        waiting = f", {self.lag:,} records to read" if self.lag else ""
        age = _age((now - self.watermark).total_seconds())
        return f"fresh up to {self.watermark:%Y-%m-%d %H:%M:%S} UTC ({age} ago{waiting})"


def read(warehouse: Warehouse, community: str | None = None) -> Summary:
    """The summary of now, busiest community first. Raises as `Warehouse.query` does."""
    rows = warehouse.query(
        "SELECT community_id, window, events, members, engaged_members, contributing_members "
        "FROM {db}.activity_rolling WHERE {community:String} IN ('', community_id)",
        {"community": community or ""},
    )
    fresh = warehouse.query("SELECT watermark, lag FROM {db}.pipeline_watermark")
    found: dict[str, Community] = {}
    for row in rows:
        one = found.setdefault(row["community_id"], Community(row["community_id"], {}, {}, {}, {}))
        window = row["window"]
        one.events[window] = int(row["events"])
        one.members[window] = int(row["members"])
        one.engaged[window] = int(row["engaged_members"])
        one.contributing[window] = int(row["contributing_members"])
    communities = sorted(found.values(), key=lambda one: (-one.events.get("28d", 0), one.id))
    return Summary(tuple(communities), reached(fresh[0]["watermark"]), int(fresh[0]["lag"] or 0))


def reached(watermark: datetime | None) -> datetime | None:
    """A watermark as the views give it; None when nothing has been stored, which they tell as NULL or as 1970."""
    return None if watermark is None or watermark.year <= 1970 else watermark


def table(summary: Summary, now: datetime, rows: int = 20) -> Table:
    """The summary for a terminal, at most `rows` communities."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    view = Table(box=box.SIMPLE_HEAD, pad_edge=False, caption=summary.freshness(now), caption_justify="left")
    view.add_column("community", overflow="fold")
    for window in WINDOWS:
        view.add_column(f"events\n{window}", justify="right")
    for name in ("members\n24h", "members\n28d", "engaged\n28d", "contributing\n28d"):
        view.add_column(name, justify="right")
    for one in summary.communities[:rows]:
        counts = [one.events.get(window, 0) for window in WINDOWS]
        people = [
            one.members.get("24h", 0),
            one.members.get("28d", 0),
            one.engaged.get("28d", 0),
            one.contributing.get("28d", 0),
        ]
        view.add_row(Text(one.id), *(f"{number:,}" if number else "·" for number in counts + people))
    if len(summary.communities) > rows:
        view.add_row(Text(f"and {len(summary.communities) - rows} more", style="dim"))
    return view


def lines(summary: Summary, now: datetime) -> list[str]:
    """The summary as plain lines, one a community."""
    text = []
    for one in summary.communities:
        events = " ".join(f"{window}={one.events.get(window, 0)}" for window in WINDOWS)
        text.append(
            f"{one.id}: events {events}; members 24h={one.members.get('24h', 0)} 28d={one.members.get('28d', 0)} "
            f"engaged 28d={one.engaged.get('28d', 0)} contributing 28d={one.contributing.get('28d', 0)}"
        )
    return [*text, summary.freshness(now)]


def activity(
    ctx: typer.Context,
    community: Annotated[str | None, typer.Option(metavar="ID", help="Only this community.")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Refresh until Ctrl-C.")] = False,
    every: Annotated[float, typer.Option(metavar="SECONDS", min=0.5, help="With --watch.")] = 2.0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Activity per community now: events and distinct members over the last 5 min, 1 h, 24 h, 7 d and 28 d.

    Members are people who did anything; engaged and contributing are parts of them. Bots, staff and tests are left out.

    Examples:

    - `streams activity --watch`
    - `streams activity --community climbing-hall --json`
    """
    settings = settings_of(ctx)
    from rich.console import Console
    from rich.live import Live

    from streams.clickhouse import Warehouse

    console = Console()
    warehouse = Warehouse(settings.warehouse)
    try:
        summary = read(warehouse, community)
        if as_json:
            typer.echo(json.dumps(_plain(summary), indent=2, ensure_ascii=False))
        elif not watch:
            _show(console, summary)
        elif console.is_terminal:
            with Live(table(summary, _now()), console=console, refresh_per_second=4) as live:
                while True:
                    time.sleep(every)
                    live.update(table(read(warehouse, community), _now()))
        else:
            while True:
                _show(console, summary)
                time.sleep(every)
                summary = read(warehouse, community)
    except KeyboardInterrupt:
        pass
    finally:
        warehouse.close()


def _show(console: Any, summary: Summary) -> None:
    if console.is_terminal:
        console.print(table(summary, _now()))
    else:
        typer.echo("\n".join(lines(summary, _now())))
    if not summary.communities:
        typer.echo("no activity in the last 28 days; publish some: streams publish FILE, or try streams demo", err=True)


def _plain(summary: Summary) -> dict[str, Any]:
    return {
        "watermark": summary.watermark.isoformat() if summary.watermark else None,
        "lag": summary.lag,
        "communities": [
            {
                "community_id": one.id,
                "events": one.events,
                "members": one.members,
                "engaged_members": one.engaged,
                "contributing_members": one.contributing,
            }
            for one in summary.communities
        ],
    }


def _now() -> datetime:
    return datetime.now(UTC)


def _age(seconds: float) -> str:
    if seconds < 0:
        return "0 s"
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.1f} s"
