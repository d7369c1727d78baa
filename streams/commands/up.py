"""`streams up`: broker, warehouse and workers on this machine, until Ctrl-C."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.commands import settings_of
from streams.commands.problems import Refused

if TYPE_CHECKING:
    from streams.embedded.stack import Stack
    from streams.settings import Settings


def up(
    ctx: typer.Context,
    workers: Annotated[int, typer.Option(min=1, max=16, help="Worker processes.")] = 1,
    data_dir: Annotated[
        Path | None, typer.Option(help="Where facts and logs are kept.", show_default=".streams")
    ] = None,
    command: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[-- COMMAND]",
            help="Run this against the stack, then stop and exit with its code.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Start everything on this machine: broker, warehouse, topics, tables, workers. Ctrl-C stops it all.

    Facts stay in the data directory. The embedded broker keeps its topics in memory: what a worker had not
    stored when it stops is gone, so this is for trying, developing and small demos.

    Examples:

    - `streams up`
    - `streams up --workers 2 --data-dir /tmp/try`
    - `streams up --data-dir /tmp/try -- streams replay irc_duraspace --verify`
    """
    settings = settings_of(ctx)
    if data_dir is not None:
        settings = settings.model_copy(update={"data_dir": data_dir})
    from streams.embedded.stack import Stack, stoppable

    def say(line: str) -> None:
        # With a command, standard output is the command's.
        typer.echo(line, err=bool(command))

    code = 0
    try:
        with stoppable():
            say("starting broker, warehouse and worker ...")
            with Stack(settings, workers, lambda line: typer.echo(f"notice: {line}", err=True)) as stack:
                stack.await_workers()
                say(f"{addresses(stack.settings)}\n  logs        {stack.logs}")
                try:
                    if command:
                        code = against(stack, command)
                    else:
                        say(f"\n{next_steps(stack.settings)}\n\nrunning; Ctrl-C stops everything")
                        stack.wait()
                finally:
                    say("stopping ...")
    except KeyboardInterrupt:
        say("stopped")
    if code:
        raise typer.Exit(code)


def against(stack: Stack, command: list[str]) -> int:
    """Run a command with the environment of the stack; its exit code. Raises `StackError` when a part ends first."""
    from streams.config import to_environment

    try:
        child = subprocess.Popen(command, env=os.environ | to_environment(stack.settings))
    except OSError as error:
        raise Refused(f"{command[0]} cannot be run", error.strerror or str(error), "give a program after --") from None
    try:
        while child.poll() is None:
            stack.check()
            time.sleep(0.1)
    finally:
        if child.poll() is None:
            child.terminate()
            child.wait()
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


def addresses(settings: Settings) -> str:
    """Where to publish to, query and look, one address a line."""
    worker = settings.worker
    return "\n".join(
        (
            f"  publish to  {settings.kafka.bootstrap} (Kafka protocol; topics {settings.kafka.topic_prefix}*)",
            f"  query       {settings.warehouse.url} (ClickHouse HTTP; database {settings.warehouse.database})",
            f"  health      http://{worker.host}:{worker.port}/health and /metrics",
        )
    )


def program() -> str:
    """How `streams` is called from here: by name when the shell finds it, else by the path of this installation."""
    if shutil.which("streams"):
        return "streams"
    installed = Path(sys.executable).with_name("streams")
    here = Path.cwd()
    return str(installed.relative_to(here) if installed.is_relative_to(here) else installed)


def exports(settings: Settings) -> str:
    """The shell line another terminal needs to reach this stack; empty when it runs on the default addresses."""
    from streams.config import environment_name
    from streams.settings import Settings as Model

    chosen = []
    for section, name in (
        ("kafka", "bootstrap"),
        ("kafka", "topic_prefix"),
        ("warehouse", "url"),
        ("warehouse", "database"),
        ("worker", "port"),
    ):
        value = getattr(getattr(settings, section), name)
        if value != getattr(Model.model_fields[section].default, name):
            chosen.append(f"{environment_name((section, name))}={value}")
    return f"export {' '.join(chosen)}" if chosen else ""


def next_steps(settings: Settings) -> str:
    """Commands to paste into another terminal."""
    command = program()
    event = (
        '{"event_id":"hello-1","type":"message","platform":"terminal","community_id":"my-community",'
        '"member_id":"me","occurred_at":"\'$(date -u +%Y-%m-%dT%H:%M:%SZ)\'","text":"hello"}'
    )
    url, database = settings.warehouse.url, settings.warehouse.database
    commands = (
        exports(settings),
        f"{command} activity",
        f"echo '{event}' | {command} publish -",
        f"{command} sql \"SELECT * FROM activity_rolling WHERE community_id = 'my-community'\"",
        f"{command} doctor",
        f'curl "{url}/?database={database}" --data-binary "SELECT type, count() FROM events GROUP BY type"',
    )
    return "\n".join(["try in another terminal, in this directory:", *(f"  {line}" for line in commands if line)])
