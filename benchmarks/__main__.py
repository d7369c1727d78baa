"""The command line: `python -m benchmarks --help`."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from benchmarks import others, path, steps
from benchmarks.bench import create_topics, settings_for
from benchmarks.events import read
from benchmarks.fill import fill
from streams.embedded.broker import EmbeddedBroker
from streams.embedded.stack import stoppable
from streams.settings import Settings


def filled(broker: EmbeddedBroker, prefix: str, events: int, partitions: int) -> Settings:
    """Settings whose topics hold `events` events."""
    settings = settings_for(broker, prefix, partitions)
    create_topics(settings)
    started = time.monotonic()
    size = fill(settings.kafka, read(events))
    took = time.monotonic() - started
    print(f"filled {events:,} events of {size / events:.0f} bytes in {took:.1f} s", flush=True)
    return settings


def run_path(options: argparse.Namespace) -> None:
    """The whole path once."""
    with EmbeddedBroker() as broker:
        settings = filled(broker, "bench.", options.events, options.partitions)
        print(path.measure(broker, settings, options.events, log=options.log).line())


def run_bare(options: argparse.Namespace) -> None:
    """A bare consumer once."""
    with EmbeddedBroker() as broker:
        settings = filled(broker, "bench.", options.events, options.partitions)
        print(others.measure_bare(broker, settings, options.events).line())


def run_stock(options: argparse.Namespace) -> None:
    """A stock Faust agent once."""
    with EmbeddedBroker() as broker:
        settings = filled(broker, "bench.", options.events, options.partitions)
        print(others.measure_stock(broker, settings, options.events, options.aggregates).line())


def run_steps(options: argparse.Namespace) -> None:
    """Every step in turn."""
    print(steps.measure(options.events, options.rows))


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("path", help="the whole path: a pre-filled topic until every aggregate is queryable")
    one.set_defaults(run=run_path)
    bare = commands.add_parser("bare", help="a bare consumer: decodes and inserts Arrow blocks, nothing else")
    bare.set_defaults(run=run_bare)
    stock = commands.add_parser("stock", help="a stock Faust agent that keeps the same facts and aggregates")
    stock.set_defaults(run=run_stock)
    stock.add_argument("--aggregates", choices=("views", "recompute"), default="views")
    each = commands.add_parser("steps", help="where the time goes: CPU of every step in turn")
    each.set_defaults(run=run_steps)
    each.add_argument("--rows", type=int, default=50_000, help="of one block")
    for command in (one, bare, stock, each):
        command.add_argument("--events", type=int, default=1_000_000)
        command.add_argument("--partitions", type=int, default=4, help="of each topic")
        command.add_argument("--log", type=Path, help="keep the worker's log here")
    options = parser.parse_args()
    with stoppable():
        options.run(options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
