"""`streams replay`: public data of real communities through Kafka, and the proof that every number came out right."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.commands import settings_of
from streams.commands.problems import FINDINGS, UNREACHABLE, Refused
from streams.commands.progress import progress

if TYPE_CHECKING:
    from streams.publisher import Publisher
    from streams.settings import Settings
    from streams.traces import Trace
    from streams.traces.verify import Fold

DATA = Path("../shared/data")
SHOWN = 10
_LOOK_EVERY = 500


def replay(
    ctx: typer.Context,
    traces: Annotated[
        list[str] | None, typer.Argument(metavar="[TRACE]...", help="Which; all; none lists them.", show_default=False)
    ] = None,
    data: Annotated[Path, typer.Option(metavar="DIR", help="The folder that holds the traces' folders.")] = DATA,
    rate: Annotated[float, typer.Option(min=0, help="At most so many events a second; 0: no limit.")] = 0,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first events of each trace.")] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Wait for the pipeline and compare every activity number.")
    ] = False,
    timeout: Annotated[float, typer.Option(min=1, help="With --verify: wait at most so many seconds.")] = 300,
) -> None:
    """Publish real data of communities, oldest event first. Replaying twice is harmless: an event_id counts once.

    With --verify the views are compared, row by row, with a plain Python fold of the same events; the communities must
    hold nothing else. Exit code 0: all published (and equal); 1: numbers differ; 2: no such data; 3: the
    broker or the warehouse cannot be reached.

    Examples:

    - `streams replay` lists the traces
    - `streams replay irc_duraspace orders_cdnow --verify`
    - `streams up -- streams replay irc_duraspace --verify` needs nothing running
    - `streams replay all --data ~/data --rate 5000`
    """
    from streams.traces import TRACES, TraceMissing

    if not traces:
        for trace in TRACES.values():
            typer.echo(f"{trace.name:30} {'' if (data / trace.folder).is_dir() else '(not found) '}{trace.description}")
        return
    names = list(TRACES) if traces == ["all"] else traces
    unknown = [name for name in names if name not in TRACES]
    if unknown:
        raise Refused(f"there is no trace {unknown[0]}", f"there are {', '.join(TRACES)}", "streams replay lists them")
    absent = [TRACES[name].folder for name in names if not (data / TRACES[name].folder).is_dir()]
    if absent:
        raise Refused(
            f"the data of {', '.join(absent)} is not there",
            f"{data.resolve()} has no such folder; the data is not part of this project",
            "name the folder that holds it: streams replay ... --data DIR",
        )
    settings = settings_of(ctx)
    from streams.publisher import Publisher
    from streams.traces.verify import Fold

    expected = Fold(settings.metrics.counted_actor_kinds, settings.metrics.smallest_cohort)
    try:
        with Publisher(settings.kafka) as publisher:
            for name in names:
                _publish(publisher, TRACES[name], data, rate, limit, expected if verify else None)
    except TraceMissing as error:
        raise Refused("the data is not complete", str(error), "streams replay ... --data DIR") from None
    if verify:
        _verify(settings, expected, timeout)


def _publish(
    publisher: Publisher, trace: Trace, data: Path, rate: float, limit: int | None, expected: Fold | None
) -> None:
    import msgspec

    started = time.monotonic()
    number = 0
    with progress(trace.name) as show:
        for number, event in enumerate(trace.events(data), 1):
            publisher.publish_json(msgspec.json.encode(event))
            if expected is not None:
                expected.add(event)
            if rate:
                ahead = started + number / rate - time.monotonic()
                if ahead > 0.005:
                    time.sleep(ahead)
            if number % _LOOK_EVERY == 0:
                show(number, event["occurred_at"][:10])
            if number == limit:
                break
        publisher.flush()
    seconds = time.monotonic() - started
    typer.echo(f"{trace.name}: {number:,} events published, {seconds:.1f} s ({number / max(seconds, 1e-9):,.0f}/s)")


def _verify(settings: Settings, expected: Fold, timeout_s: float) -> None:
    from streams.clickhouse import Warehouse
    from streams.processors.settled import wait_until_settled
    from streams.traces.verify import differences

    typer.echo("verify: waiting until every event is stored and every bucket recomputed", err=True)
    try:
        wait_until_settled(settings, timeout_s)
    except TimeoutError as error:
        raise Refused(
            "the pipeline has not caught up",
            str(error),
            "streams worker; streams doctor checks every part",
            UNREACHABLE,
        ) from None
    warehouse = Warehouse(settings.warehouse)
    try:
        compared, found = differences(warehouse, expected)
    finally:
        warehouse.close()
    for one in found[:SHOWN]:
        key = " ".join(str(part) for part in one.key)
        typer.echo(f"{one.view}  {key}\n    expected  {one.expected}\n    stored    {one.actual}", err=True)
    verdict = f"{len(found):,} differ" if found else "all equal"
    typer.echo(
        f"verify: {len(expected.facts):,} facts, {compared:,} rows of {len(expected.communities)} communities compared "
        f"with a plain fold: {verdict}"
    )
    if found:
        raise typer.Exit(FINDINGS)
