"""The embedded warehouse: the ClickHouse HTTP protocol over the one chDB engine of this process."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hmac
import ipaddress
import logging
import os
import signal
import sys
from base64 import b64decode
from binascii import Error as Base64Error
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler

from streams.embedded.directory import DirectoryInUse
from streams.embedded.engine import Engine, EngineError, failure
from streams.embedded.protocol import FIELD_BYTES, URL_BYTES, Limits, Spool
from streams.embedded.queries import Queries
from streams.embedded.warehouse_process import PASSWORD_VARIABLE

log = logging.getLogger(__name__)


def is_loopback(host: str) -> bool:
    """True for addresses that only this machine can reach."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _credentials(request: web.Request) -> tuple[str, str]:
    """User and password as a client may send them: basic, bearer, ClickHouse's headers, or the URL."""
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "basic":
        with contextlib.suppress(Base64Error, UnicodeDecodeError):
            user, _, password = b64decode(value.strip(), validate=True).decode().partition(":")
            return user, password
        return "", ""
    if scheme.lower() == "bearer":
        return "default", value.strip()
    if "X-ClickHouse-Key" in request.headers or "X-ClickHouse-User" in request.headers:
        return request.headers.get("X-ClickHouse-User", "default"), request.headers.get("X-ClickHouse-Key", "")
    return request.query.get("user", "default"), request.query.get("password", "")


def application(queries: Queries, user: str = "default", password: str = "") -> web.Application:
    """The web application; with a password every request but /ping must carry it."""

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        # A page in a browser on this machine can reach loopback too: its requests say where they come from.
        if request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
            return web.Response(status=403, text="requests from web pages of other origins are refused\n")
        if not password:
            host = urlsplit(f"//{request.headers.get('Host', '')}").hostname
            if host and not is_loopback(host):
                return web.Response(
                    status=403, text="without a password this warehouse answers only to loopback names\n"
                )
        elif request.path != "/ping":
            given_user, given = _credentials(request)
            if given_user != user or not hmac.compare_digest(given.encode(), password.encode()):
                sentence = f"{given_user}: Authentication failed: password is incorrect, or there is no such user"
                return queries.failure(failure(516, sentence, "AUTHENTICATION_FAILED"), queries.headers)
        return await handler(request)

    async def ping(request: web.Request) -> web.Response:
        return web.Response(text="Ok.\n", headers=queries.headers)

    app = web.Application(middlewares=[guard])
    app.router.add_get("/ping", ping)
    app.router.add_get("/replicas_status", ping)
    app.router.add_get("/", queries.handle)
    app.router.add_post("/", queries.handle)
    return app


async def serve(
    data_dir: Path,
    port: int = 8123,
    host: str = "127.0.0.1",
    user: str = "default",
    password: str = "",
    limits: Limits | None = None,
) -> None:
    """Serve `data_dir` until SIGTERM or SIGINT, then finish what runs, close the engine and return.

    Port 0 picks a free one; the lock file in `data_dir` says which. Raises ValueError for an address that others can
    reach without a password, `DirectoryInUse`, `EngineError` and OSError (port in use).
    """
    if not password and not is_loopback(host):
        raise ValueError(
            f"the warehouse would listen on {host}, which other machines can reach, without a password. "
            f"Set {PASSWORD_VARIABLE}, or listen on 127.0.0.1."
        )
    # ClickHouse takes the zone of the machine for its own; numbers must not depend on where the process runs.
    os.environ["TZ"] = "UTC"
    engine = await asyncio.to_thread(Engine, data_dir)
    limits = limits or Limits()
    spool = Spool(data_dir)
    queries = Queries(engine, spool, limits)
    try:
        app = application(queries, user, password)
        # Bodies arrive as they were sent: aiohttp would decode only the first of several compressed frames.
        runner = web.AppRunner(
            app,
            access_log=None,
            auto_decompress=False,
            shutdown_timeout=20.0,
            keepalive_timeout=600.0,
            max_line_size=URL_BYTES,
            max_field_size=FIELD_BYTES,
        )
        await runner.setup()
        try:
            site = web.TCPSite(runner, host, port)
            await site.start()
            bound = runner.addresses[0][1]
            url = f"http://{f'[{host}]' if ':' in host else host}:{bound}"
            engine.lock.announce(url)
            log.info("warehouse %s listens on %s", data_dir, url)
            stop = asyncio.Event()
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, stop.set)
            await stop.wait()
            log.info("warehouse stops")
            await queries.stop_reading()
        finally:
            await runner.cleanup()
    finally:
        await queries.close()
        spool.close()
        engine.close()


def main() -> int:
    """Entry point of the child process; the password comes from the environment, so that no process list shows it."""
    parser = argparse.ArgumentParser(description="Serve the embedded warehouse over HTTP.")
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--port", type=int, default=8123)
    parser.add_argument("--host", default="127.0.0.1")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        asyncio.run(serve(options.data_dir, options.port, options.host, password=os.environ.get(PASSWORD_VARIABLE, "")))
    except (DirectoryInUse, EngineError, ValueError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
