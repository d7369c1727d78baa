"""How commands that take a while say how far they are, on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer

PLAIN_EVERY_S = 5.0
TERMINAL_EVERY_S = 0.2


@contextmanager
def progress(label: str, total: int | None = None) -> Iterator[Callable[[int, str], None]]:
    """A function `(events so far, where)` to call often: one live line on a terminal, a line now and then elsewhere."""
    started = last = time.monotonic()

    def text(events: int, where: str) -> str:
        seconds = max(time.monotonic() - started, 1e-9)
        share = f" of {total:,}" if total else ""
        return f"{label}: {events:,}{share} events, {events / seconds:,.0f}/s  {where}"

    if not sys.stderr.isatty():

        def line(events: int, where: str) -> None:
            nonlocal last
            if time.monotonic() - last >= PLAIN_EVERY_S:
                last = time.monotonic()
                typer.echo(text(events, where), err=True)

        yield line
        return

    from rich.console import Console

    with Console(stderr=True).status(f"{label} ...") as status:

        def live(events: int, where: str) -> None:
            nonlocal last
            if time.monotonic() - last >= TERMINAL_EVERY_S:
                last = time.monotonic()
                status.update(text(events, where))

        yield live
