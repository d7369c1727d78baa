"""`streams sql`: one query against the warehouse, answered in any ClickHouse format."""

from __future__ import annotations

import os
import shutil
import ssl
import sys
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Annotated
from urllib.parse import unquote, urlencode, urlsplit, urlunsplit

import typer

from streams import tls
from streams.commands import settings_of
from streams.commands.problems import FINDINGS, UNREACHABLE, USAGE, Refused

if TYPE_CHECKING:
    from streams.settings import WarehouseSettings


def sql(
    ctx: typer.Context,
    query: Annotated[str, typer.Argument(metavar="QUERY", help="One statement, or - to read it from standard input.")],
    format: Annotated[
        str | None,
        typer.Option(
            "--format",
            "-f",
            help="Any ClickHouse format: PrettyCompact, CSVWithNames, JSON, JSONEachRow, Markdown, Vertical ...",
            show_default="PrettyCompact on a terminal, TSV otherwise",
        ),
    ] = None,
) -> None:
    """Run one query; the views of the analysts' database need no prefix: events, activity_day, activity_rolling ...

    Examples:

    - `streams sql "SHOW TABLES"`
    - `streams sql "SELECT * FROM activity_day ORDER BY start DESC LIMIT 10"`
    - `streams sql "SELECT type, count() FROM events GROUP BY type" --format JSON`
    - `streams sql - --format CSVWithNames < report.sql > report.csv`
    """
    settings = settings_of(ctx)
    text = sys.stdin.read() if query == "-" else query
    if not text.strip():
        raise Refused("there is no query", "the text is empty", 'streams sql "SHOW TABLES"')
    terminal = sys.stdout.isatty()
    request = _request(settings.warehouse, text, format or ("PrettyCompact" if terminal else "TSV"))
    try:
        trusted = _trusted(settings.warehouse)
        with urllib.request.urlopen(request, timeout=settings.warehouse.timeout_s, context=trusted) as answer:
            shutil.copyfileobj(answer, sys.stdout.buffer)
        sys.stdout.flush()
    except urllib.error.HTTPError as error:
        said = " ".join(error.read().decode(errors="replace").split()) or str(error)
        raise Refused(
            "the warehouse refused the statement", said[:1500], _hint(said, settings.warehouse), FINDINGS
        ) from None
    except BrokenPipeError:
        # Whoever read our output has had enough of it, as in `| head`; the interpreter must not flush again on exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        why = getattr(error, "reason", error)
        step = "streams doctor checks every part; streams up starts the embedded ones"
        if isinstance(why, ssl.SSLCertVerificationError):
            step = tls.next_step(str(why), "warehouse.ssl_cafile", "warehouse.url")
        raise Refused(
            f"the warehouse at {_address(settings.warehouse)} cannot be reached", str(why), step, UNREACHABLE
        ) from None


def _trusted(warehouse: WarehouseSettings) -> ssl.SSLContext | None:
    if urlsplit(warehouse.url).scheme != "https":
        return None
    try:
        return tls.context(warehouse.ssl_cafile)
    except OSError as error:
        raise Refused(
            f"warehouse.ssl_cafile {warehouse.ssl_cafile} holds no certificate",
            str(error.strerror),
            "name a PEM file, or leave it unset to trust the system's authorities",
            USAGE,
        ) from None


def _request(warehouse: WarehouseSettings, text: str, format: str) -> urllib.request.Request:
    url = urlsplit(warehouse.url)
    options = {
        "database": warehouse.database,
        "default_format": format,
        # The status must be known before the first byte: an error half-way through would look like a short answer.
        "wait_end_of_query": "1",
    }
    user = unquote(url.username or warehouse.user)
    password = unquote(url.password or "") or warehouse.password.get_secret_value()
    return urllib.request.Request(
        f"{_address(warehouse)}/?{urlencode(options)}",
        data=text.encode(),
        headers={"X-ClickHouse-User": user, "X-ClickHouse-Key": password, "Content-Type": "text/plain; charset=utf-8"},
    )


def _address(warehouse: WarehouseSettings) -> str:
    """The URL without the credentials that may be in it."""
    url = urlsplit(warehouse.url)
    return urlunsplit((url.scheme, url.netloc.rpartition("@")[2], url.path.rstrip("/"), "", ""))


def _hint(said: str, warehouse: WarehouseSettings) -> str:
    if "UNKNOWN_DATABASE" in said:
        return "streams migrate makes the databases and their views"
    if "UNKNOWN_TABLE" in said:
        return 'streams sql "SHOW TABLES"'
    if "UNKNOWN_IDENTIFIER" in said:
        return 'streams sql "DESCRIBE TABLE events" shows the columns of a view'
    if "UNKNOWN_FORMAT" in said:
        return 'streams sql "SELECT name FROM system.formats WHERE is_output"'
    if "AUTHENTICATION_FAILED" in said:
        return "check warehouse.user and warehouse.password: streams config show"
    return "correct the statement"
