"""`streams worker`, `streams warehouse`, `streams broker`: one part each, in the foreground."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from streams.commands import settings_of
from streams.commands.problems import Refused

ROLES = ("ingest", "rollup")


def worker(
    ctx: typer.Context,
    role: Annotated[
        list[str] | None, typer.Option(metavar="ROLE", help="Only this role: ingest or rollup; may be repeated.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port of /health and /metrics; 0 picks one.")
    ] = None,
) -> None:
    """Run one worker: it stores events from Kafka as facts and recomputes the numbers they change.

    Start as many as there are partitions, on any machines; when one dies the others take over its partitions.

    Examples:

    - `streams worker`
    - `streams --set kafka.bootstrap=kafka:9092 --set warehouse.url=http://clickhouse:8123 worker --role ingest`
    """
    settings = settings_of(ctx)
    changes: dict[str, object] = {}
    if role:
        unknown = [name for name in role if name not in ROLES]
        if unknown:
            raise Refused(f"--role {unknown[0]}", "there is no such role", f"roles are {' and '.join(ROLES)}")
        changes["roles"] = tuple(dict.fromkeys(role))
    if port is not None:
        changes["port"] = port
    settings = settings.model_copy(update={"worker": settings.worker.model_copy(update=changes)})
    from streams.kafka import topic_names
    from streams.logging import configure
    from streams.processors.worker import run

    configure(settings.log_level, settings.log_format)
    # The library would end with a page of traceback when nobody answers, and try for ever when a broker is not trusted
    # at the address it advertises; this says it in three lines.
    topic_names(settings.kafka)
    run(settings)


def warehouse(
    ctx: typer.Context,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="0 picks a free one.", show_default="8123")] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; other than loopback only with a password.")
    ] = "127.0.0.1",
    data_dir: Annotated[Path | None, typer.Option(help="Where the facts are kept.", show_default=".streams")] = None,
) -> None:
    """Serve the embedded warehouse: the ClickHouse engine over its HTTP protocol, on this machine.

    One process may open a data directory. For production use a ClickHouse server.

    Examples:

    - `streams warehouse`
    - `streams warehouse --port 18123 --data-dir /tmp/try`
    """
    settings = settings_of(ctx)
    import asyncio

    from streams.embedded.warehouse import serve
    from streams.logging import configure

    configure(settings.log_level, settings.log_format)
    place = data_dir or settings.data_dir
    try:
        asyncio.run(
            serve(
                place,
                port=8123 if port is None else port,
                host=host,
                user=settings.warehouse.user,
                password=settings.warehouse.password.get_secret_value(),
            )
        )
    except OSError as error:
        raise Refused(
            f"the warehouse cannot listen on port {port or 8123}", str(error), "--port 0 picks a free one", code=3
        ) from None
    except ValueError as error:
        raise Refused("the warehouse would not be safe", str(error)) from None


def broker(
    ctx: typer.Context,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 picks a free one.")] = 9092,
) -> None:
    """Run the embedded Kafka broker: real protocol, memory only, on this machine; for trying and for tests.

    Examples:

    - `streams broker`
    - `streams broker --port 0`
    """
    from streams.embedded.broker import EmbeddedBroker
    from streams.embedded.stack import stoppable

    try:
        with stoppable(), EmbeddedBroker(port=port) as running:
            typer.echo(f"the embedded broker listens on {running.bootstrap}; Ctrl-C stops it and forgets what it holds")
            while True:
                running.check()
                time.sleep(0.5)
    except KeyboardInterrupt:
        typer.echo("stopped")
