"""Measurements of the whole pipeline on this machine; results go to the terminal, and with --write into the README."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

from benchmarks import corrections, freshness, others, path, report, steps, views
from benchmarks.bench import Result, create_topics, settings_for
from benchmarks.events import read
from benchmarks.fill import fill
from streams.clickhouse import Warehouse
from streams.embedded.broker import EmbeddedBroker
from streams.embedded.stack import stoppable
from streams.settings import Settings

Measure = Callable[[EmbeddedBroker, Settings, int], Result]


def on_fresh_broker(measure: Measure, events: int, partitions: int, days: int = 0) -> Result:
    """One measurement on a broker of its own whose topics hold `events` events, dense or spread over `days`."""
    with EmbeddedBroker() as broker:
        settings = settings_for(broker, "bench.", partitions)
        create_topics(settings)
        started = time.monotonic()
        size = fill(settings.kafka, read(events, days=days))
        took = time.monotonic() - started
        print(f"  filled {events:,} events of {size / events:.0f} bytes in {took:.1f} s", flush=True)
        found = measure(broker, settings, events)
        print(found.line(), flush=True)
        return found


def run_path(options: argparse.Namespace) -> None:
    """The whole path once."""
    on_fresh_broker(
        lambda broker, settings, events: path.measure(broker, settings, events, log=options.log),
        options.events,
        options.partitions,
    )


def run_bare(options: argparse.Namespace) -> None:
    """A bare consumer once."""
    on_fresh_broker(others.measure_bare, options.events, options.partitions)


def run_stock(options: argparse.Namespace) -> None:
    """A stock Faust agent once."""
    on_fresh_broker(stock_with(options.aggregates), options.events, options.partitions)


def stock_with(aggregates: others.Aggregates) -> Measure:
    """A stock Faust agent that keeps its aggregates in one of the two ways."""
    return lambda broker, settings, events: others.measure_stock(broker, settings, events, aggregates)


def run_compare(options: argparse.Namespace) -> None:
    """Ours, bare and stock in turn, several rounds, so that what changes about the machine changes for all."""
    measured = []
    for turn in range(options.rounds):
        print(f"round {turn + 1} of {options.rounds}", flush=True)
        measured.append(on_fresh_broker(others.measure_bare, options.events, options.partitions))
        measured.append(on_fresh_broker(path.measure, options.events, options.partitions))
        for aggregates in ("views", "recompute"):
            measured.append(on_fresh_broker(stock_with(aggregates), options.stock_events, options.partitions))
    report.publish("compare", report.comparison(measured), options.command_line, options.write)


def run_flat(options: argparse.Namespace) -> None:
    """The whole path over few events and over many in turn, several rounds."""
    measured = []
    for turn in range(options.rounds):
        print(f"round {turn + 1} of {options.rounds}", flush=True)
        measured += [
            on_fresh_broker(partial(path.measure, merging=True), events, options.partitions) for events in options.sizes
        ]
    report.publish("flat", report.flatness(measured), options.command_line, options.write)


def run_freshness(options: argparse.Namespace) -> None:
    """From publishing to the view."""
    found = freshness.measure(options.rate, options.seconds, options.history, options.partitions)
    print(found.line(), flush=True)
    report.publish("freshness", report.freshness(found), options.command_line, options.write)


def run_queries(options: argparse.Namespace) -> None:
    """The views on what the whole path leaves behind."""
    parts = []
    sets = [(0, "dense"), *([(options.days, f"over {options.days} days")] if options.days else [])]
    for days, about in sets:

        def ask(settings: Settings, warehouse: Warehouse, about: str = about) -> None:
            # As dashboards and analysts ask.
            with closing(Warehouse(settings.warehouse, interactive=True)) as asking:
                at_once = views.measure(asking)
                views.merge_quiet(warehouse)
                found = views.measure(asking)
            parts.append(
                f"{options.events:,} events, {about}, nothing else running. Right after they were stored "
                f"{quick(at_once)}; after ten minutes of quiet, when all is merged, {quick(found)}:\n\n"
                + report.latencies(found)
            )

        on_fresh_broker(
            lambda broker, settings, events, ask=ask: path.measure(broker, settings, events, then=ask),  # type: ignore[misc]
            options.events,
            options.partitions,
            days,
        )
    report.publish("queries", "\n\n".join(parts), options.command_line, options.write)


def quick(found: list[views.Latency]) -> str:
    """How many panels are quick, and which are not."""
    counts = []
    for whose in ("busiest", "median"):
        asked = [each for each in found if each.community == whose]
        slow = sorted((each for each in asked if each.median_ms >= views.QUICK_MS), key=lambda each: -each.median_ms)
        named = ", ".join(f"`{views.view_of(each.question)}` {each.median_ms:.0f}" for each in slow)
        but = f" (not {named})" if slow else ""
        counts.append(f"{len(asked) - len(slow)} of {len(asked)} panels of the {whose} community{but}")
    return f"{' and '.join(counts)} took less than {views.QUICK_MS} ms"


def run_steps(options: argparse.Namespace) -> None:
    """Every step in turn."""
    report.publish("steps", steps.costs(options.events, options.rows), options.command_line, options.write)


def run_growth(options: argparse.Namespace) -> None:
    """The same new events on little history and on ten times as much."""
    text = steps.growth(options.events, options.fresh, options.rows)
    report.publish("growth", text, options.command_line, options.write)


def run_corrections(options: argparse.Namespace) -> None:
    """Merge, flag and hide, and back."""
    head = ("Correction", "events", "s until right", "differences", "as before")
    text = report.table(head, corrections.table_rows(corrections.measure(options.partitions)))
    report.publish("corrections", text, options.command_line, options.write)


def run_all(options: argparse.Namespace) -> None:
    """Everything that the README shows."""
    for run in (run_compare, run_flat, run_growth, run_freshness, run_queries, run_corrections, run_steps):
        run(options)


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace], None], about: str, events: int = 1_000_000) -> None:
        parsed = commands.add_parser(name, help=about, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
        parsed.set_defaults(run=run)
        parsed.add_argument("--events", type=int, default=events, help="events in the pre-filled topics")
        parsed.add_argument("--partitions", type=int, default=4, help="of each topic")
        parsed.add_argument("--write", action="store_true", help="put the result into benchmarks/README.md")
        if name == "path":
            parsed.add_argument("--log", type=Path, help="keep the worker's log here")
        if name == "stock":
            parsed.add_argument(
                "--aggregates", choices=("views", "recompute"), default="views", help="how it keeps them"
            )
        if name in ("compare", "flat", "all"):
            parsed.add_argument("--rounds", type=int, default=3, help="how often everything is measured in turn")
        if name in ("compare", "all"):
            parsed.add_argument("--stock-events", type=int, default=200_000, help="events for the stock agent")
        if name in ("flat", "all"):
            parsed.add_argument(
                "--sizes", type=int, nargs="+", default=[1_000_000, 5_000_000], help="events of each run"
            )
        if name in ("freshness", "all"):
            parsed.add_argument("--rate", type=int, default=5_000, help="events a second, published live")
            parsed.add_argument("--seconds", type=float, default=60.0, help="how long")
            parsed.add_argument("--history", type=int, default=200_000, help="events that are there already")
        if name in ("queries", "all"):
            parsed.add_argument(
                "--days", type=int, default=728, help="of the second data set, as many events; 0: without it"
            )
        if name in ("steps", "growth", "all"):
            parsed.add_argument("--rows", type=int, default=50_000, help="rows of one insert")
        if name in ("growth", "all"):
            parsed.add_argument(
                "--fresh", type=int, default=200_000, help="new events, on a tenth of --events and on all"
            )

    command("all", run_all, "everything that benchmarks/README.md shows; about 30 minutes")
    command("compare", run_compare, "the whole path, a bare consumer and a stock Faust agent in turn")
    command("path", run_path, "the whole path: a pre-filled topic until every aggregate is queryable")
    command("bare", run_bare, "a bare consumer: decodes and inserts Arrow blocks, nothing else")
    command("stock", run_stock, "a stock Faust agent that keeps the same facts and aggregates", events=200_000)
    command("flat", run_flat, "whether rate, cost and memory stay flat as events grow")
    command("freshness", run_freshness, "from publishing to being counted, under live load")
    command("queries", run_queries, "how long the analysts' views take")
    command("growth", run_growth, "what a new event costs as history grows tenfold, step by step", events=5_000_000)
    command("corrections", run_corrections, "seconds until a merge, a flag and hidings are right, and taken back")
    command("steps", run_steps, "where the time goes: CPU of every step in turn")
    return parser


def main() -> int:
    """Entry point."""
    options = arguments().parse_args()
    options.command_line = sys.argv[1:]
    with stoppable():
        options.run(options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
