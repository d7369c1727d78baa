"""`streams demo`: the whole pipeline on simulated communities, with a check at the end that the numbers add up."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.commands import settings_of
from streams.commands.activity import Summary, lines, read, table
from streams.commands.feed import HISTORY, Feed, Plan
from streams.commands.problems import FINDINGS
from streams.commands.up import addresses, next_steps

if TYPE_CHECKING:
    from rich.console import Console

    from streams.clickhouse import Warehouse
    from streams.embedded.stack import Stack
    from streams.reconcile import Difference

REFRESH_S = 2.0
PLAIN_LINE_S = 6.0
PLAIN_TABLE_S = 30.0
SETTLE_S = 60.0

Say = Callable[[str], None]


@dataclass(frozen=True)
class Stored:
    """What is in the warehouse: facts and dead letters, in rows."""

    facts: int
    dead_letters: int


@dataclass(frozen=True)
class Recent:
    """Events by people in the last 28 days: among the facts, and in the numbers computed from them."""

    facts: int
    computed: int


@dataclass(frozen=True)
class Tick:
    """One look at the running pipeline."""

    elapsed_s: float
    stored: Stored
    summary: Summary
    recent: Recent

    @property
    def caught_up(self) -> bool:
        """Nearly everything is stored and computed; exactly everything never is while publishing goes on."""
        return self.recent.facts > 0 and self.recent.computed >= 0.99 * self.recent.facts


def demo(
    ctx: typer.Context,
    duration: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS", min=1, help="End by itself this long after start-up.", show_default="Ctrl-C ends it"
        ),
    ] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(help="Keep the facts and the logs here.", show_default="temporary, removed at the end"),
    ] = None,
    communities: Annotated[int, typer.Option(min=1, max=200, help="How many communities are simulated.")] = 8,
    history: Annotated[int, typer.Option(min=1, help="About how many events the 28 days before now have.")] = 60_000,
    rate: Annotated[float, typer.Option(min=0.1, max=5000, help="Live events a second, over all communities.")] = 20.0,
    seed: Annotated[int, typer.Option(help="Another seed makes other communities.")] = 1,
) -> None:
    """Start everything, publish 28 days of simulated communities, go on live, and show activity as it is stored.

    Some events are sent twice, some late, and some records are broken, as happens in real life. At the end everything
    is counted again: exit code 0 when each event was stored exactly once, each broken record is a dead letter, and
    every number equals the one recomputed from the facts.

    Examples:

    - `streams demo`
    - `streams demo --duration 45`
    - `streams demo --data-dir /tmp/demo --communities 3 --rate 200`
    """
    settings = settings_of(ctx)
    from rich.console import Console

    from streams.clickhouse import Warehouse
    from streams.commands.communities import telling
    from streams.communities.apply import apply, in_force
    from streams.communities.settings import DEFAULTS
    from streams.embedded.stack import Stack, stoppable

    console = Console(highlight=False)
    started = time.monotonic()
    adds_up = True

    def say(line: str) -> None:
        console.print(f"[{time.monotonic() - started:5.1f} s] {line}", markup=False, soft_wrap=True)

    try:
        with stoppable(), ExitStack() as parts:
            place = data_dir or parts.enter_context(scratch(lambda: adds_up))
            say(f"starting broker, warehouse and worker (data in {place}{'' if data_dir else ', removed at the end'})")
            stack = parts.enter_context(Stack(settings.model_copy(update={"data_dir": place}), say=say))
            warehouse = Warehouse(stack.settings.warehouse)
            parts.callback(warehouse.close)
            plan = Plan(seed, communities, history, rate)
            if not in_force(warehouse).keys() - {DEFAULTS}:
                apply(warehouse, plan.settings(), telling(stack.settings))
            before = count(warehouse, plan)
            feed = Feed(stack.settings, plan, datetime.now(UTC))
            feed.start()
            parts.callback(feed.abandon)
            say(f"publishing {HISTORY.days} days of {communities} communities while the worker joins, then live")
            console.print(
                f"{addresses(stack.settings)}\n\n{next_steps(stack.settings)}\n", markup=False, soft_wrap=True
            )
            ticks = looks(stack, warehouse, feed, started, duration)
            try:
                if console.is_terminal:
                    show(console, ticks, feed, before)
                else:
                    tell(ticks, feed, before, say)
            except KeyboardInterrupt:
                say("ending")
            # Counting has signal handlers of its own: a second Ctrl-C skips it.
            with stoppable():
                adds_up = settle(stack, warehouse, feed, before, say)
                if not console.is_terminal:
                    for line in lines(read(warehouse), datetime.now(UTC)):
                        say(f"  {line}")
            say("stopping" if adds_up or data_dir else f"stopping; facts and logs are kept in {place}")
    except KeyboardInterrupt:
        say("stopped before everything was counted")
    if not adds_up:
        raise typer.Exit(FINDINGS)


@contextmanager
def scratch(finished: Callable[[], bool]) -> Iterator[Path]:
    """A temporary directory, kept for whoever wants to know why when the demo did not finish well."""
    place = Path(tempfile.mkdtemp(prefix="streams-demo-"))
    keep = True
    try:
        yield place
        keep = not finished()
    except KeyboardInterrupt:
        keep = False
        raise
    finally:
        if not keep:
            shutil.rmtree(place, ignore_errors=True)


def count(warehouse: Warehouse, plan: Plan) -> Stored:
    """Facts, hidden ones too, and dead letters of the simulated communities; what others publish is not counted."""
    rows = warehouse.rows(
        "SELECT (SELECT count() FROM {store}.events FINAL WHERE community_id IN {ids:Array(String)}), "
        "(SELECT count() FROM {db}.dead_letters WHERE community_id IN {ids:Array(String)})",
        {"ids": plan.ids()},
    )
    return Stored(*rows[0])


def recent(warehouse: Warehouse, summary: Summary, counted: Sequence[str]) -> Recent:
    """How much of the last 28 days is in the numbers of `summary`."""
    [(facts,)] = warehouse.rows(
        "SELECT count() FROM {db}.events "
        "WHERE has({kinds:Array(String)}, actor_kind) AND minute >= now('UTC') - INTERVAL 28 DAY",
        {"kinds": list(counted)},
    )
    return Recent(facts, sum(one.events.get("28d", 0) for one in summary.communities))


def looks(stack: Stack, warehouse: Warehouse, feed: Feed, started: float, duration: float | None) -> Iterator[Tick]:
    """A look every two seconds until `duration` is over. Raises when a part of the stack or the feed has ended."""
    began = time.monotonic()
    while True:
        now = time.monotonic()
        stack.check()
        if feed.error is not None:
            raise feed.error
        summary = read(warehouse)
        counted = stack.settings.metrics.counted_actor_kinds
        yield Tick(now - started, count(warehouse, feed.plan), summary, recent(warehouse, summary, counted))
        pause = REFRESH_S - (time.monotonic() - now)
        if duration is not None:
            left = began + duration - time.monotonic()
            if left <= 0:
                return
            pause = min(pause, left)
        time.sleep(max(0.0, pause))


def show(console: Console, ticks: Iterator[Tick], feed: Feed, before: Stored) -> None:
    """The live table of a terminal."""
    from rich.console import Group
    from rich.live import Live
    from rich.text import Text

    with Live(console=console, refresh_per_second=4) as live:
        for tick in ticks:
            header = Text(progress(tick, feed, before), style="bold")
            view = table(tick.summary, datetime.now(UTC), rows=max(3, console.height - 12))
            live.update(Group(header, view, Text("Ctrl-C ends the demo and counts everything", style="dim")))


def tell(ticks: Iterator[Tick], feed: Feed, before: Stored, say: Say) -> None:
    """Plain lines: progress now and then, and the communities when history is in and twice a minute after that."""
    said = listed = float("-inf")
    first = live = False
    for tick in ticks:
        if tick.summary.communities and not first:
            first = True
            say(f"first numbers after {tick.elapsed_s:.1f} s")
            said = tick.elapsed_s - PLAIN_LINE_S
        if feed.live.is_set() and not live and tick.stored.facts - before.facts >= feed.history and tick.caught_up:
            live = True
            say(f"{HISTORY.days} days of history are stored and computed; live now")
            listed = float("-inf")
        if tick.elapsed_s - said >= PLAIN_LINE_S:
            said = tick.elapsed_s
            say(progress(tick, feed, before))
        if live and tick.elapsed_s - listed >= PLAIN_TABLE_S:
            listed = tick.elapsed_s
            for line in lines(tick.summary, datetime.now(UTC)):
                say(f"  {line}")


def progress(tick: Tick, feed: Feed, before: Stored) -> str:
    """One line: how much was published and stored."""
    stored = f"{tick.stored.facts - before.facts:,} facts stored"
    if feed.live.is_set():
        # Larger buckets are computed after smaller ones: until then a month may show less than a day.
        reach = tick.summary.freshness(datetime.now(UTC)) if tick.caught_up else "history is being computed"
        return f"live: {feed.events:,} events published, {stored}, {reach}"
    return f"history: {feed.events:,} of about {feed.plan.history:,} events published, {stored}"


def settle(stack: Stack, warehouse: Warehouse, feed: Feed, before: Stored, say: Say) -> bool:
    """Stop publishing, wait until everything is stored, count, and compare. True when the numbers add up."""
    feed.finish()
    if feed.error is not None:
        raise feed.error
    say("publishing has ended; waiting until everything is stored, and recomputing every number from the facts")
    deadline = time.monotonic() + SETTLE_S
    while True:
        stack.check()
        now = count(warehouse, feed.plan)
        stored = Stored(now.facts - before.facts, now.dead_letters - before.dead_letters)
        summary = read(warehouse)
        complete = stored == Stored(feed.events, feed.broken)
        # Facts never become fewer: what is too many now will not get right by waiting.
        final = stored.facts > feed.events or stored.dead_letters > feed.broken or time.monotonic() >= deadline
        differences = compared(warehouse) if complete or final else []
        if (complete and not differences) or final:
            break
        time.sleep(0.5)
    results = (
        ("events published", feed.events, feed.acknowledged == feed.events + feed.duplicates, "all acknowledged"),
        ("facts stored", stored.facts, stored.facts == feed.events, f"each once; {feed.duplicates:,} were sent twice"),
        (
            "dead letters",
            stored.dead_letters,
            stored.dead_letters == feed.broken,
            f"{feed.broken:,} broken records sent",
        ),
        ("differences", len(differences), not differences, "stored numbers against numbers recomputed from the facts"),
    )
    for name, number, right, meaning in results:
        say(f"  {name:<17} {number:>10,}  {'ok   ' if right else 'WRONG'}  {meaning}")
    say(f"  {feed.late:,} events were sent late; {summary.freshness(datetime.now(UTC))}")
    for one in differences[:5]:
        say(f"  {one.aggregate} {one.key}: stored {one.stored}, recomputed {one.recomputed}")
    adds_up = all(right for _, _, right, _ in results)
    say("the numbers add up" if adds_up else f"THE NUMBERS DO NOT ADD UP; the worker says: {stack.health()[:500]}")
    return adds_up


def compared(warehouse: Warehouse) -> list[Difference]:
    """What `streams reconcile` finds over the time of the demo."""
    from streams.reconcile import reconcile

    now = datetime.now(UTC)
    return reconcile(warehouse, now - HISTORY - timedelta(days=2), now + timedelta(days=2))
