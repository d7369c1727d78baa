"""`streams simulate`: simulated communities into Kafka or a file, with faults on request."""

from __future__ import annotations

import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streams.commands import settings_of
from streams.commands.problems import Refused
from streams.commands.progress import progress

if TYPE_CHECKING:
    from streams.settings import Settings
    from streams.simulate import Broken, Drop

Send = Callable[["dict[str, Any] | Broken"], None]
INTERRUPTED = 130
_LOOK_EVERY = 500


def simulate(
    ctx: typer.Context,
    seed: Annotated[int, typer.Option(help="Equal seed and times give equal events, ids included.")] = 1,
    communities: Annotated[int, typer.Option(min=1, help="How many communities.")] = 8,
    days: Annotated[float, typer.Option(min=0, help="Length of the history, ending now or at --end.")] = 7,
    start: Annotated[str | None, typer.Option(metavar="TIME", help="Begin here instead, as 2026-01-31 (UTC).")] = None,
    end: Annotated[str | None, typer.Option(metavar="TIME", help="End of the history; now when not given.")] = None,
    rate: Annotated[float, typer.Option(min=1e-6, help="Mean events per second of event time, all communities.")] = 0.5,
    live: Annotated[bool, typer.Option("--live", help="Go on in real time after the history, until Ctrl-C.")] = False,
    live_rate: Annotated[
        float | None, typer.Option(min=1e-6, help="Events per second in real time; --rate when not given.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Stop after this many events.")] = None,
    out: Annotated[
        str | None, typer.Option(metavar="FILE|-", help="Write NDJSON there instead of publishing to Kafka.")
    ] = None,
    drop: Annotated[
        str | None,
        typer.Option(
            metavar="ID[,FROM,TO[,SHARE]]",
            help="Engagement of a community drops: by default 0.7 of its events in the last day of the history.",
        ),
    ] = None,
    duplicates: Annotated[float, typer.Option(min=0, max=1, help="Share of events that come twice.")] = 0.0,
    late: Annotated[float, typer.Option(min=0, max=1, help="Share of events that come late.")] = 0.0,
    max_lateness: Annotated[float, typer.Option(min=0, help="Late by up to so many hours of event time.")] = 6.0,
    broken: Annotated[float, typer.Option(min=0, max=1, help="Broken records, as a share of the events.")] = 0.0,
) -> None:
    """Make up communities: rhythm of days and weeks, growth and decline, conversations, rituals, orders and reviews.

    Without --out the events are published to Kafka; publishing the same run twice is harmless. Exit code 0: done, or
    --live was ended with Ctrl-C; 3: the broker cannot be reached or did not take everything; 130: interrupted.

    Examples:

    - `streams simulate --days 28 --live`
    - `streams simulate --start 2026-01-05 --end 2026-02-02 --out events.ndjson`
    - `streams simulate --duplicates 0.05 --late 0.05 --broken 0.01 --drop dawn-makeup`
    """
    from streams.simulate import inject
    from streams.simulate import simulate as simulated

    now = datetime.now(UTC).replace(microsecond=0)
    last = _time(end, "--end") if end else now
    first = _time(start, "--start") if start else last - timedelta(days=days)
    if first > last or (first == last and not live):
        raise Refused("there is no history", f"it would begin at {first:%F %T} and end at {last:%F %T}", "give --days")
    if live and end:
        raise Refused("--live and --end exclude each other", "the live part begins now", "leave one of them out")
    if live and first > now:
        raise Refused("--live needs a --start in the past", f"{first:%F %T} is to come", "leave --start out")
    faults: Counter[str] = Counter()
    events = simulated(
        seed,
        communities,
        first,
        None if live else last,
        rate,
        live_from=now if live else None,
        live_rate=live_rate if live else None,
    )
    dropped = _drop(drop, last) if drop else None
    if dropped or duplicates or late or broken:
        stream: Iterator[dict[str, Any] | Broken] = inject(
            events,
            seed,
            drop=dropped,
            duplicates=duplicates,
            late=late,
            max_lateness=timedelta(hours=max_lateness),
            broken=broken,
            report=faults,
        )
    else:
        stream = iter(events)
    tally = _Tally()
    interrupted = False
    started = time.monotonic()
    with sink(settings_of(ctx) if out is None else None, out, at_once=live) as send:
        try:
            with _terminable(), progress("simulate") as show:
                _deliver(stream, send, tally, now if live else None, limit, show)
        except KeyboardInterrupt:
            interrupted = True
    _summary(tally, faults, time.monotonic() - started, out)
    if interrupted and not live:
        raise typer.Exit(INTERRUPTED)


class _Tally:
    """What was sent."""

    def __init__(self) -> None:
        self.events = 0
        self.broken = 0
        self.families: Counter[str] = Counter()
        self.communities: Counter[str] = Counter()
        self.first = self.last = ""


def _deliver(
    stream: Iterator[dict[str, Any] | Broken],
    send: Send,
    tally: _Tally,
    live_from: datetime | None,
    limit: int | None,
    show: Callable[[int, str], None],
) -> None:
    """Send everything, from `live_from` on each event not before its time."""
    live_text = live_from.strftime("%Y-%m-%dT%H:%M:%S") if live_from else ""
    for record in stream:
        if not isinstance(record, dict):
            send(record)
            tally.broken += 1
            continue
        at = record["occurred_at"]
        live = bool(live_text) and at >= live_text
        if live:
            wait = (datetime.fromisoformat(at) - datetime.now(UTC)).total_seconds()
            if wait > 0:
                show(tally.events, f"live, {at[11:19]} UTC")
                time.sleep(wait)
        send(record)
        tally.events += 1
        tally.families[record["type"]] += 1
        tally.communities[record["community_id"]] += 1
        tally.first, tally.last = min(tally.first or at, at), max(tally.last, at)
        if tally.events % _LOOK_EVERY == 0:
            show(tally.events, f"history, {at[:16].replace('T', ' ')}" if not live else "live")
        if tally.events == limit:
            return


@contextmanager
def sink(settings: Settings | None, out: str | None, at_once: bool = False) -> Iterator[Send]:
    """Where events and broken records go: Kafka, by `settings`, or NDJSON in `out`. Leaving waits for deliveries.

    `at_once` writes each line when it comes rather than in blocks.
    """
    import msgspec

    encode = msgspec.json.encode
    with ExitStack() as stack:
        if settings is None:
            if out in (None, "-"):
                file = sys.stdout.buffer
            else:
                try:
                    file = stack.enter_context(Path(str(out)).open("wb"))
                except OSError as error:
                    raise Refused(f"{out} cannot be written", str(error), "choose another --out") from None

            def write(record: dict[str, Any] | Broken) -> None:
                file.write((encode(record) if isinstance(record, dict) else record.value) + b"\n")
                if at_once:
                    file.flush()

            yield write
            file.flush()
            return
        from streams.publisher import Publisher, RawProducer
        from streams.topics import by_name

        prefix = settings.kafka.topic_prefix
        publisher = stack.enter_context(Publisher(settings.kafka))
        raw: list[RawProducer] = []

        def send(record: dict[str, Any] | Broken) -> None:
            if isinstance(record, dict):
                publisher.publish_json(encode(record))
                return
            if not raw:  # only broken records need it: the publisher would refuse them
                raw.append(stack.enter_context(RawProducer(settings.kafka)))
            raw[0].send(by_name[record.family].topic(prefix), record.value, record.key)

        yield send


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM ends like Ctrl-C: what was sent is flushed, and the summary is shown.

    SIGINT is set as well: a shell starts background jobs with it ignored.
    """
    before = {number: signal.signal(number, signal.default_int_handler) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _time(text: str, option: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise Refused(f"{option} {text} is not a time", "it must look like 2026-01-31 or 2026-01-31T08:30Z") from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _drop(text: str, last: datetime) -> Drop:
    """`ID[,FROM,TO[,SHARE]]`; without times the day before `last`."""
    from streams.simulate import Drop

    community, *rest = text.split(",")
    if len(rest) not in (0, 2, 3):
        raise Refused(f"--drop {text}", "it has the form ID or ID,FROM,TO or ID,FROM,TO,SHARE")
    if not rest:
        return Drop(community, last - timedelta(days=1), last)
    try:
        share = float(rest[2]) if len(rest) == 3 else 0.7
    except ValueError:
        raise Refused(f"--drop {text}", f"{rest[2]} is not a share from 0 to 1") from None
    return Drop(community, _time(rest[0], "--drop"), _time(rest[1], "--drop"), share)


def _summary(tally: _Tally, faults: Counter[str], seconds: float, out: str | None) -> None:
    def say(text: str) -> None:
        typer.echo(text, err=True)

    verb = "published" if out is None else "written"
    say(f"{tally.events:,} events {verb} in {seconds:.1f} s ({tally.events / max(seconds, 1e-9):,.0f}/s)")
    if tally.events:
        say(f"  from {tally.first} to {tally.last}")
    for title, counts in (("families", tally.families), ("communities", tally.communities)):
        if counts:
            shown = ", ".join(f"{name} {number:,}" for name, number in counts.most_common(10))
            more = f", and {len(counts) - 10} more" if len(counts) > 10 else ""
            say(f"  {title}: {shown}{more}")
    if faults:
        named = ", ".join(f"{faults[name]:,} {name}" for name in ("dropped", "duplicated", "late", "broken"))
        say(f"  faults: {named}")
