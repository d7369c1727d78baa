"""What a worker is doing, written to shared memory so that one knows where a kill fell; and faults at exact places.

Loaded only into the worker processes that the harness forks. It wraps the pipeline from outside and changes nothing in
it; a `Plan` makes the worker wait at a step, and then go on or kill itself, where a test needs an exact place.
"""

from __future__ import annotations

import asyncio
import functools
import mmap
import os
import signal
import struct
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

STEPS = (
    "starting",
    "partitions assigned",
    "decoding",
    "decoded",
    "inserting facts",
    "facts inserted",
    "inserting keys",
    "keys inserted",
    "removing beaten versions",
    "beaten versions removed",
    "inserting dead letters",
    "dead letters inserted",
    "publishing dead letters",
    "dead letters published",
    "publishing invalidations",
    "invalidations published",
    "acknowledging events",
    "events acknowledged",
    "recomputing minutes",
    "minutes recomputed",
    "recomputing hours",
    "hours recomputed",
    "recomputing days",
    "days recomputed",
    "recomputing what is deferred",
    "what is deferred recomputed",
    "writing buckets",
    "removing vanished buckets",
    "invalidations acknowledged",
    "committing offsets",
    "offsets committed",
)
SLOTS = ("decode", "write", "rollup", "commit")
"""What runs side by side in a worker: each has its own current step; of the rollup's stages the one that moved last."""

_LAYOUT = struct.Struct(f"<{len(SLOTS) + 2 * len(STEPS)}q")
SIZE = _LAYOUT.size


class Plan(NamedTuple):
    """At the `nth` time that `step` is reached: wait `hold_s`, then kill the process when `kill` says so."""

    step: str
    nth: int = 1
    hold_s: float = 0.0
    kill: bool = True


class Seen(NamedTuple):
    """Current step of each slot, how often each step was reached, and when first (monotonic clock, s; 0 if never)."""

    now: dict[str, str]
    times: dict[str, int]
    first: dict[str, float]


class Marks:
    """The shared page: written by the worker, read by the harness at any time, also after the worker's death."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(bytes(SIZE))
        with path.open("r+b") as file:
            self._page = mmap.mmap(file.fileno(), SIZE)

    def reach(self, slot: str, step: str) -> int:
        """Note a step; returns how often it has been reached."""
        number = STEPS.index(step)
        at = 8 * (len(SLOTS) + number)
        (times,) = struct.unpack_from("<q", self._page, at)
        struct.pack_into("<q", self._page, at, times + 1)
        if not times:
            struct.pack_into("<q", self._page, at + 8 * len(STEPS), time.monotonic_ns())
        struct.pack_into("<q", self._page, 8 * SLOTS.index(slot), number)
        return int(times) + 1

    def read(self) -> Seen:
        """What the worker does, or did last."""
        values = _LAYOUT.unpack(self._page[:SIZE])
        return Seen(
            {slot: STEPS[values[index]] for index, slot in enumerate(SLOTS)},
            dict(zip(STEPS, values[len(SLOTS) :], strict=False)),
            {step: at / 1e9 for step, at in zip(STEPS, values[len(SLOTS) + len(STEPS) :], strict=True)},
        )


class Watch:
    """Wraps the pipeline's steps in this process."""

    def __init__(self, marks: Marks, plan: Plan | None) -> None:
        self.marks = marks
        self.plan = plan
        self.reached: Counter[str] = Counter()

    def at(self, slot: str, step: str) -> None:
        """A step on a thread of its own."""
        if self._planned(slot, step):
            time.sleep(self.plan.hold_s)  # type: ignore[union-attr]
            self._end()

    async def at_async(self, slot: str, step: str) -> None:
        """A step on the event loop, which goes on while this one waits."""
        if self._planned(slot, step):
            await asyncio.sleep(self.plan.hold_s)  # type: ignore[union-attr]
            self._end()

    def _planned(self, slot: str, step: str) -> bool:
        self.reached[step] += 1
        self.marks.reach(slot, step)
        return bool(self.plan and self.plan.step == step and self.plan.nth == self.reached[step])

    def _end(self) -> None:
        if self.plan and self.plan.kill:
            os.kill(os.getpid(), signal.SIGKILL)

    def install(self) -> None:
        """Wrap everything. Call before a `Worker` is made."""
        from streams.clickhouse import Warehouse
        from streams.processors import consumer, worker
        from streams.processors.ingest import Ingest
        from streams.processors.rollup import Rollup

        self._around_async(worker.Worker, "on_assigned", lambda *_: ("decode", None, "partitions assigned"))
        self._around_async(Ingest, "decode", lambda *_: ("decode", "decoding", "decoded"))
        self._around_async(Ingest, "settle", lambda *_: ("write", "acknowledging events", "events acknowledged"))
        self._around_async(worker.Worker, "publish", publishing)
        self._around_async(Rollup, "flush", flushing)
        self._around_async(consumer.Consumer, "_commit_offsets", committing)
        self._around(Warehouse, "insert", inserting)
        self._around(Warehouse, "command", commanding)
        self._around(Rollup, "recompute", recomputing)

    def _around_async(self, owner: type, name: str, steps: Callable[..., Any]) -> None:
        original = getattr(owner, name)

        @functools.wraps(original)
        async def wrapped(*args: Any, **kwargs: Any) -> Any:
            slot, before, after = steps(*args) or (None, None, None)
            if before:
                await self.at_async(slot, before)
            result = await original(*args, **kwargs)
            if after:
                await self.at_async(slot, after)
            return result

        setattr(owner, name, wrapped)

    def _around(self, owner: type, name: str, steps: Callable[..., Any]) -> None:
        original = getattr(owner, name)

        @functools.wraps(original)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            slot, before, after = steps(*args) or (None, None, None)
            if before:
                self.at(slot, before)
            result = original(*args, **kwargs)
            if after:
                self.at(slot, after)
            return result

        setattr(owner, name, wrapped)


def publishing(_: Any, messages: Any) -> tuple[str, str, str]:
    """Steps of publishing from ingest."""
    what = "dead letters" if messages[0].topic.endswith("dead_letters.v1") else "invalidations"
    return "write", f"publishing {what}", f"{what} published"


def flushing(_: Any, index: int) -> tuple[str, None, str] | None:
    """The last stage acknowledges."""
    return ("rollup", None, "invalidations acknowledged") if index == 3 else None


def inserting(_: Any, table: str, rows: Any, *__: Any) -> tuple[str, str, str] | None:
    """Steps of the inserts of ingest."""
    name = table.rpartition(".")[2]
    if name == "events" and "is_deleted" in rows.column_names:
        return "write", "removing beaten versions", "beaten versions removed"
    what = {"events": "facts", "event_keys": "keys", "dead_letters": "dead letters"}.get(name)
    return ("write", f"inserting {what}", f"{what} inserted") if what else None


def committing(*_: Any) -> tuple[str, str, str]:
    """Steps of a commit."""
    return "commit", "committing offsets", "offsets committed"


def recomputing(_: Any, stage: Any) -> tuple[str, str, str]:
    """Steps of recomputing a stage."""
    what = "what is deferred" if stage.name == "deferred" else f"{stage.name}s"
    return "rollup", f"recomputing {what}", f"{what} recomputed"


def commanding(_: Any, sql: str, *__: Any) -> tuple[str, str, None] | None:
    """The two statements of a recompute."""
    if not sql.startswith("INSERT INTO"):
        return None
    return "rollup", "removing vanished buckets" if "1 AS is_deleted" in sql else "writing buckets", None
