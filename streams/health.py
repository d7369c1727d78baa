"""/health and /metrics of a worker. Health is progress: a worker that is behind and does not move is not healthy."""

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
from streams.processors.progress import Progress
from streams.settings import WorkerSettings

log = structlog.get_logger()


def report(progress: Progress, now: float, stalled_after_s: float, about: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """HTTP status and body: 200 when every partition moves or has nothing to read, else 503 with reasons."""
    problems = progress.stalled(now, stalled_after_s)
    positions = progress.positions.items()
    body = {
        "healthy": not problems and about.get("ready", True),
        "problems": [
            {"topic": topic, "partition": partition, "why": why} for (topic, partition), why in problems.items()
        ],
        "partitions": len(progress.positions),
        "lag": sum(position.lag for _, position in positions),
        **about,
    }
    if not about.get("ready", True):
        body["problems"].append({"why": "no partitions assigned yet: waiting for the broker or the consumer group"})
    return (200 if body["healthy"] else 503), body


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
