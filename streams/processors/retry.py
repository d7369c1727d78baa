"""Waiting for the warehouse: retried for ever with back-off; nothing is lost while the records stay in Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

import structlog
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_exponential_jitter

from streams import metrics
from streams.clickhouse import WarehouseUnavailable

log = structlog.get_logger()
Result = TypeVar("Result")


async def until_available(what: str, call: Callable[[], Result]) -> Result:
    """Run a blocking call in a thread until the warehouse answers. Any other error passes through."""

    def count(state: RetryCallState) -> None:
        metrics.WAREHOUSE_RETRIES.inc()
        error = state.outcome.exception() if state.outcome else None
        log.warning("warehouse away, waiting", what=what, attempt=state.attempt_number, error=str(error)[:200])

    retrying = AsyncRetrying(
        retry=retry_if_exception_type(WarehouseUnavailable),
        wait=wait_exponential_jitter(multiplier=0.1, max=5),
        before_sleep=count,
        reraise=True,
    )
    async for attempt in retrying:
        with attempt:
            result = await asyncio.to_thread(call)
    return result
