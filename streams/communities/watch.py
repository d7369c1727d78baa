"""A settings file that is applied whenever its content changes, as long as the worker runs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import structlog

from streams import metrics
from streams.clickhouse import Warehouse
from streams.communities.apply import apply
from streams.communities.file import SettingsFault, read
from streams.processors import invalidations
from streams.processors.ingest import Message
from streams.processors.invalidations import Invalidation
from streams.processors.retry import until_available

log = structlog.get_logger()


class Watch:
    """Looks at one file every `poll_s` seconds. A file with faults is told and left alone: what was in force stays."""

    def __init__(
        self,
        file: Path,
        poll_s: float,
        warehouse: Warehouse,
        topic: str,
        publish: Callable[[Sequence[Message]], Awaitable[None]],
    ) -> None:
        self.file = file
        self.poll_s = poll_s
        self.warehouse = warehouse
        self.topic = topic
        self.publish = publish
        self.seen: bytes | None = None

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(self.poll_s)

    async def look(self) -> None:
        """Apply the file when its content is not what was seen last."""
        try:
            content = await asyncio.to_thread(self.file.read_bytes)
        except OSError:
            content = b""
        if content == self.seen:
            return
        try:
            settings = read(self.file)
        except SettingsFault as fault:
            metrics.COMMUNITY_SETTINGS_VALID.set(0)
            log.error("settings of communities are not taken", what=fault.what, why=fault.why, next=fault.next)
        else:
            loop = asyncio.get_running_loop()

            async def publish(told: Sequence[Invalidation]) -> None:
                await self.publish(
                    [Message(self.topic, each.community_id.encode(), invalidations.encode(each)) for each in told]
                )

            def tell(told: Sequence[Invalidation]) -> None:
                asyncio.run_coroutine_threadsafe(publish(told), loop).result()

            applied = await until_available("community settings", lambda: apply(self.warehouse, settings, tell))
            metrics.COMMUNITY_SETTINGS_VALID.set(1)
            if applied.changed:
                log.info("settings of communities applied", changed=len(applied.changed), told=len(applied.restated))
        self.seen = content
