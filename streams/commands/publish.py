"""`streams publish`: events from a file or a pipe into Kafka, with a report of every line that is no event."""

from __future__ import annotations

import gzip
import sys
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, NamedTuple, cast

import typer

from streams.commands import settings_of
from streams.commands.problems import FINDINGS, Refused

if TYPE_CHECKING:
    from streams.topics import Rejected

SHOWN = 20
_PIECE = 1 << 20
_LOOK_EVERY = 1000


class Line(NamedTuple):
    """One line of the input without its line end; `overlong` says that `text` is only the beginning of it."""

    number: int
    text: bytes
    overlong: bool


@dataclass
class Report:
    """What became of the lines: all are counted, the first rejected ones are kept for the reader."""

    accepted: int = 0
    first: list[tuple[int, Rejected]] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)

    @property
    def rejected(self) -> int:
        """Lines that are no event."""
        return self.reasons.total()

    def reject(self, number: int, fault: Rejected) -> None:
        """Count a line that is no event."""
        self.reasons[fault.reason] += 1
        if len(self.first) < SHOWN:
            self.first.append((number, fault))

    def lines(self) -> Iterator[str]:
        """The first rejected lines one by one, then all of them by reason."""
        for number, fault in self.first:
            yield f"line {number}: {fault}"
        if self.rejected > len(self.first):
            yield f"... and {self.rejected - len(self.first):,} more"
        for reason, count in self.reasons.most_common():
            yield f"rejected as {reason}: {count:,}"


def publish(
    ctx: typer.Context,
    file: Annotated[
        str,
        typer.Argument(metavar="FILE|-", help="Events as NDJSON, one a line; .gz is unpacked; - is standard input."),
    ],
    rate: Annotated[float, typer.Option("--rate", min=0, help="At most so many events a second; 0: no limit.")] = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only check the lines; no broker is needed.")] = False,
    cloudevents: Annotated[
        bool, typer.Option("--cloudevents", help="Send CloudEvents attributes as headers (binary mode).")
    ] = False,
    rejects: Annotated[
        Path | None,
        typer.Option("--rejects", metavar="FILE", help="Write the rejected lines to this file, as they were."),
    ] = None,
) -> None:
    """Check events against the contract and publish them to the topics of their families.

    Lines that are no event are reported with line number, field and reason, and left out. Publishing a file twice is
    harmless: an event_id counts once. Exit code 0: all published; 1: some rejected; 3: the broker cannot be
    reached or did not take everything.

    Examples:

    - `streams publish events.ndjson`
    - `zcat export.json.gz | streams publish - --rate 500`
    - `streams publish export.ndjson.gz --dry-run --rejects broken.ndjson`
    """
    from streams.publisher import Encoder, Publisher

    settings = settings_of(ctx)
    limit = settings.ingest.max_record_bytes
    started = time.monotonic()
    report = Report()
    try:
        with ExitStack() as stack:
            stream, size, position = _opened(stack, file)
            kept = stack.enter_context(rejects.open("wb")) if rejects else None
            send: Callable[[bytes], object]
            if dry_run:
                send = Encoder(settings.kafka.topic_prefix, limit, cloudevents).json
            else:
                publisher = Publisher(settings.kafka, max_record_bytes=limit, cloudevents=cloudevents)
                send = stack.enter_context(publisher).publish_json
            advance = _progress(stack, size, position)
            for number in _sent(_read(stream, limit, kept), send, report, kept):
                if rate:
                    ahead = started + report.accepted / rate - time.monotonic()
                    if ahead > 0.005:
                        time.sleep(ahead)
                if rate or number % _LOOK_EVERY == 0:
                    advance(report.accepted)
                    if not dry_run and publisher.failed:
                        break  # leaving the block says how many, and why
            advance(report.accepted)
    finally:
        for line in report.lines():
            typer.echo(line, err=True)
    seconds = max(time.monotonic() - started, 1e-9)
    typer.echo(
        f"{report.accepted:,} events {'are good' if dry_run else 'published'}, {report.rejected:,} lines rejected, "
        f"{seconds:.1f} s ({report.accepted / seconds:,.0f}/s)"
    )
    if report.rejected:
        raise typer.Exit(FINDINGS)


def _sent(
    lines: Iterable[Line], send: Callable[[bytes], object], report: Report, kept: IO[bytes] | None
) -> Iterator[int]:
    """Send every line that is an event; yields the number of each line that was judged."""
    from streams.topics import Rejected

    for line in lines:
        try:
            if line.overlong:
                raise Rejected("too_large", "the line has more bytes than an event may have")
            send(line.text)
            report.accepted += 1
        except Rejected as fault:
            report.reject(line.number, fault)
            if kept and not line.overlong:
                kept.write(line.text + b"\n")
        yield line.number


def _opened(stack: ExitStack, file: str) -> tuple[IO[bytes], int | None, Callable[[], int]]:
    """The input, the bytes of it as stored (None for a pipe), and how many of these were read so far."""
    if file == "-":
        return sys.stdin.buffer, None, int
    try:
        stored = stack.enter_context(Path(file).open("rb"))  # noqa: SIM115 - the stack closes it
    except OSError as error:
        raise Refused(
            f"{file} cannot be read", error.strerror or str(error), "streams publish - reads standard input"
        ) from None
    size = Path(file).stat().st_size
    if file.endswith(".gz"):
        return cast(IO[bytes], gzip.GzipFile(fileobj=stored)), size, stored.tell
    return stored, size, stored.tell


def _read(stream: IO[bytes], limit: int, kept: IO[bytes] | None) -> Iterator[Line]:
    """Lines that are not blank; of one longer than `limit` only a beginning is held, and `kept` gets all of it."""
    number = 0
    try:
        while text := stream.readline(limit + 2):
            number += 1
            ended = text.endswith(b"\n")
            body = text.rstrip(b"\r\n") if ended else text
            overlong = len(body) > limit
            if overlong and kept:
                kept.write(text)
            while overlong and not ended:
                piece = stream.readline(_PIECE)
                ended = not piece or piece.endswith(b"\n")
                if kept:
                    kept.write(piece)
            if body.strip():
                yield Line(number, body, overlong)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise Refused(
            f"the input cannot be unpacked after line {number}",
            str(error),
            "check the file with gzip -t; what came before is sent",
        ) from None


def _progress(stack: ExitStack, size: int | None, position: Callable[[], int]) -> Callable[[int], None]:
    """A function that shows how far we are: a bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        return lambda accepted: None
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    bar = stack.enter_context(
        Progress(
            TextColumn("{task.fields[events]:,} events"),
            BarColumn(),
            TextColumn("{task.fields[speed]:,.0f}/s"),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
        )
    )
    started = time.monotonic()
    task = bar.add_task("", total=size, events=0, speed=0)

    def advance(accepted: int) -> None:
        speed = accepted / max(time.monotonic() - started, 1e-9)
        bar.update(task, completed=position() if size else None, events=accepted, speed=speed)

    return advance
