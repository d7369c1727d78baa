"""/health and /metrics of a worker. Health is progress: who is behind and does not move is not, nor who cannot know."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import structlog
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from streams.metrics import REGISTRY
from streams.processors.progress import Partition, Progress
from streams.settings import WorkerSettings

log = structlog.get_logger()


def report(progress: Progress, now: float, stalled_after_s: float, about: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """HTTP status and body: 200 when every partition moves or has nothing to read, else 503 with reasons.

    That there is nothing to read is only known as long as the broker answers.
    """
    problems: list[dict[str, Any]] = [
        {"topic": topic, "partition": partition, "why": why}
        for (topic, partition), why in progress.stalled(now, stalled_after_s).items()
    ]
    silent = silences(progress, now, stalled_after_s)
    if silent:
        where = f"the broker at {about['broker']}" if "broker" in about else "the broker"
        of = f"{len(silent)} of {len(progress.positions)} partitions"
        problems.append({"why": f"{where} has said nothing of {of} for {max(silent.values()):.0f} s"})
    positions = progress.positions.items()
    body = {
        "healthy": not problems and about.get("ready", True),
        "problems": problems,
        "partitions": len(progress.positions),
        "lag": sum(position.lag for _, position in positions),
        **about,
    }
    if not about.get("ready", True):
        body["problems"].append({"why": "no partitions assigned yet: waiting for the broker or the consumer group"})
    return (200 if body["healthy"] else 503), body


def silences(progress: Progress, now: float, after_s: float) -> dict[Partition, float]:
    """Partitions read to their end of which the broker has said nothing for longer than this, and for how long.

    One with something left to read may not have been asked for: what was fetched has to be taken first.
    """
    found = {partition: now - each.heard_at for partition, each in progress.positions.items() if each.lag == 0}
    return {partition: silence for partition, silence in found.items() if silence > after_s}


def application(settings: WorkerSettings, progress: Progress, about: Callable[[], dict[str, Any]]) -> web.Application:
    """The two pages."""

    async def health(_: web.Request) -> web.Response:
        status, body = report(progress, time.monotonic(), settings.stalled_after_s, about())
        return web.json_response(body, status=status)

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(REGISTRY), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.add_routes([web.get("/health", health), web.get("/metrics", metrics)])
    return app


class HealthServer:
    """Serves the two pages from its own thread: it answers before the broker does, and while the work is stuck."""

    def __init__(self, settings: WorkerSettings, progress: Progress, about: Callable[[], dict[str, Any]]) -> None:
        self.settings = settings
        self.url = ""
        self._app = application(settings, progress, about)
        self._loop = asyncio.new_event_loop()
        self._runner = web.AppRunner(self._app, access_log=None)

    def start(self) -> None:
        """Bind and serve. Raises OSError when the port is taken."""
        self._loop.run_until_complete(self._bind())
        threading.Thread(target=self._loop.run_forever, name="health", daemon=True).start()
        log.info("serving health and metrics", url=self.url)

    async def _bind(self) -> None:
        await self._runner.setup()
        await web.TCPSite(self._runner, self.settings.host, self.settings.port).start()
        self.url = f"http://{self.settings.host}:{self._runner.addresses[0][1]}"
