"""The checks of `streams doctor`: what was looked at, what was found, and what to do next."""

from __future__ import annotations

import shutil
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from streams.config import CREDENTIALS, unknown_environment
from streams.settings import Settings

if TYPE_CHECKING:
    from streams.clickhouse import Warehouse
    from streams.topics import Family, Internal

Status = Literal["ok", "warn", "fail"]

LOW_DISK = 2 << 30
NO_DISK = 200 << 20
LATE_S = 300.0
OLDEST_PYTHON = (3, 11)


@dataclass(frozen=True)
class Check:
    """One thing that was looked at; `next` is a command or an action, empty when there is nothing to do."""

    name: str
    status: Status
    found: str
    next: str = ""


def examine(settings: Settings) -> list[Check]:
    """Run every check against the running parts. Never raises: a check that cannot be made says so."""
    checks: list[Check] = []
    for look in (python, settings_check, disk, directory, broker, warehouse, worker):
        try:
            checks += look(settings)
        except Exception as error:
            checks.append(Check(look.__name__, "fail", f"the check itself failed: {_short(error)}", "report this"))
    return checks


def worst(checks: list[Check]) -> Status:
    """The status of the whole: the worst of all."""
    found = {check.status for check in checks}
    return "fail" if "fail" in found else "warn" if "warn" in found else "ok"


def python(settings: Settings) -> Iterator[Check]:
    """This interpreter is new enough."""
    version = ".".join(str(part) for part in sys.version_info[:3])
    # An installer refuses an older one; a checkout on PYTHONPATH does not ask it.
    if tuple(sys.version_info) >= OLDEST_PYTHON:
        yield Check("python", "ok", version)
    else:
        yield Check("python", "fail", f"{version} is too old", "install Python 3.11 or later, then: make venv")


def settings_check(settings: Settings) -> Iterator[Check]:
    """They were valid, or we would not be here; a name in the environment that sets nothing is a typing mistake."""
    unknown = unknown_environment()
    if unknown:
        yield Check("settings", "warn", f"{', '.join(unknown)} in the environment sets nothing", "streams config show")
    else:
        yield Check("settings", "ok", "valid")


def disk(settings: Settings) -> Iterator[Check]:
    """Space where the embedded warehouse writes."""
    place = settings.data_dir.absolute()
    while not place.exists():
        place = place.parent
    free = free_bytes(place)
    found = f"{free / (1 << 30):.1f} GiB free at {place}"
    if free < NO_DISK:
        yield Check("disk space", "fail", found, "free some space, or set data_dir to another disk")
    elif free < LOW_DISK:
        yield Check("disk space", "warn", found, "free some space before it stops the warehouse")
    else:
        yield Check("disk space", "ok", found)


def free_bytes(place: Path) -> int:
    """Bytes a process of ours may still write at `place`."""
    return shutil.disk_usage(place).free


def directory(settings: Settings) -> Iterator[Check]:
    """The engine will be able to open the embedded warehouse's directory again."""
    from streams.embedded.directory import check_directory

    if not settings.data_dir.exists():
        yield Check("embedded directory", "ok", f"{settings.data_dir} is not there yet; streams up makes it")
        return
    reasons = check_directory(settings.data_dir)
    if reasons:
        yield Check("embedded directory", "fail", "; ".join(reasons), "stop the stack, then: streams doctor --repair")
    else:
        yield Check("embedded directory", "ok", f"{settings.data_dir} can be opened")


def broker(settings: Settings) -> Iterator[Check]:
    """The broker answers, lets us in, and has every topic with its partitions."""
    where = settings.kafka.bootstrap
    shut = _unreachable(where, 9092)
    if shut:
        yield Check("broker", "fail", f"{where}: {shut}", _start(where, "kafka.bootstrap"))
        return
    from streams.kafka import admin, partitions_of
    from streams.kafka_connection import BrokerError
    from streams.topics import ALL
    from streams.topics.internal import INTERNAL

    prefix = settings.kafka.topic_prefix
    topics: tuple[Family | Internal, ...] = (*ALL, *INTERNAL)
    wanted = {one.topic(prefix): one.partitions or settings.kafka.partitions for one in topics}
    try:
        with admin(settings.kafka) as client:
            partitions = partitions_of(client, wanted)
    except BrokerError as error:
        yield Check("broker", "fail", f"{error.what}: {error.why}", error.next or "streams config show")
        return
    yield Check("broker", "ok", f"{where} answers")
    missing = sorted(set(wanted) - set(partitions))
    narrow = sorted(topic for topic, count in partitions.items() if count < wanted[topic])
    if missing:
        found = f"{len(missing)} of {len(wanted)} are missing: {_few(missing)}"
        yield Check("topics", "fail", found, "streams topics apply")
    elif narrow:
        found = "; ".join(f"{topic} has {partitions[topic]} partitions, not {wanted[topic]}" for topic in narrow[:3])
        yield Check("topics", "warn", found, "streams topics apply")
    else:
        yield Check("topics", "ok", f"all {len(wanted)} exist")


def warehouse(settings: Settings) -> Iterator[Check]:
    """The warehouse answers, its tables are current, and what it says of freshness and dead letters."""
    where = CREDENTIALS.sub("://", settings.warehouse.url)
    shut = _unreachable(where, 443 if where.startswith("https") else 80)
    if shut:
        yield Check("warehouse", "fail", f"{where}: {shut}", _start(where, "warehouse.url"))
        return
    from streams.clickhouse import Warehouse, WarehouseError, WarehouseUnavailable
    from streams.migrations import status
    from streams.sql_files import SqlFilesError

    client: Warehouse | None = None
    try:
        client = Warehouse(settings.warehouse)
        version = str(client.rows("SELECT version()")[0][0])
        yield Check("warehouse", "ok", f"{where} answers, ClickHouse {version}")
        pending = [one for one in status(client) if one.status in ("pending", "running")]
        if pending:
            found = f"{len(pending)} not applied: {_few([one.name for one in pending])}"
            yield Check("migrations", "fail", found, "streams migrate")
            return
        yield Check("migrations", "ok", "all applied")
        yield from _progress(client, settings)
        yield from _dead_letters(client)
    except SqlFilesError as error:
        yield Check("migrations", "fail", _short(error), "install the version that fits the warehouse")
    except (WarehouseError, WarehouseUnavailable) as error:
        yield Check(
            "warehouse",
            "fail",
            f"{where}: {_short(error)}",
            "check warehouse.url, warehouse.user, warehouse.password and warehouse.ssl_cafile",
        )
    finally:
        if client is not None:
            client.close()


def _progress(client: Warehouse, settings: Settings) -> Iterator[Check]:
    row = client.query("SELECT watermark, updated_at FROM {db}.pipeline_watermark")[0]
    now = datetime.now(UTC)
    written, watermark = row["updated_at"], row["watermark"]
    waiting = _waiting(settings)
    if written is None or watermark is None or written.year <= 1970:
        if waiting:
            yield Check("lag", "warn", f"{waiting:,} records to read, and none has been read yet", "streams worker")
        else:
            yield Check("lag", "ok", "nothing has been published yet")
        yield Check("watermark", "ok", "nothing has been stored yet")
        return
    since = (now - written).total_seconds()
    if waiting and since > LATE_S:
        found = f"{waiting:,} records to read, and no progress for {since:,.0f} s"
        yield Check("lag", "fail", found, "streams worker, or read its log")
    elif waiting:
        yield Check("lag", "ok", f"{waiting:,} records to read; last progress {since:,.1f} s ago")
    else:
        yield Check("lag", "ok", "everything that was published has been read")
    age = (now - watermark).total_seconds()
    found = f"facts are complete up to {watermark:%Y-%m-%d %H:%M:%S} UTC"
    if age > LATE_S and waiting:
        yield Check(
            "watermark", "warn", f"{found}, {age:,.0f} s ago: the pipeline is behind", "streams worker on more machines"
        )
    elif age > LATE_S:
        yield Check("watermark", "ok", f"{found}; nothing newer has been published")
    else:
        yield Check("watermark", "ok", f"{found}, {age:,.1f} s ago")


def _waiting(settings: Settings) -> int:
    """Records the workers have still to read; 0 when the broker cannot say, which is a finding of its own."""
    from streams.kafka import lag
    from streams.kafka_connection import BrokerError
    from streams.processors.settled import group_id
    from streams.topics import ALL
    from streams.topics.internal import INVALIDATIONS

    prefix = settings.kafka.topic_prefix
    topics = [one.topic(prefix) for one in ALL] + [INVALIDATIONS.topic(prefix)]
    try:
        return sum(lag(settings.kafka, group_id(settings), topics).values())
    except BrokerError:
        return 0


def _dead_letters(client: Warehouse) -> Iterator[Check]:
    rows = client.rows(
        "SELECT reason, count() AS letters FROM {db}.dead_letters WHERE status = 'open' "
        "GROUP BY reason ORDER BY letters DESC, reason"
    )
    if rows:
        found = f"{sum(count for _, count in rows):,} open: " + _few([f"{count:,} {reason}" for reason, count in rows])
        yield Check("dead letters", "warn", found, "streams dlq list, then streams dlq replay or streams dlq discard")
    else:
        yield Check("dead letters", "ok", "none open")


def worker(settings: Settings) -> Iterator[Check]:
    """The worker's own opinion: /health is about progress."""
    from streams.embedded.stack import health

    where = f"{settings.worker.host}:{settings.worker.port}"
    code, said = health(settings.worker.host, settings.worker.port)
    if code is None:
        yield Check("worker", "fail", f"http://{where}/health: {said}", "streams worker, or streams up for everything")
    elif code == 200:
        yield Check("worker", "ok", f"http://{where}/health is well")
    else:
        yield Check(
            "worker",
            "fail",
            f"http://{where}/health says {code}: {_few([said])}",
            "read the worker's log; restarting it is safe",
        )


def _unreachable(addresses: str, default: int) -> str:
    """Why no TCP connection can be made to any of the addresses; empty when one can."""
    reason = "no address"
    for address in addresses.split(","):
        parts = urlsplit(address.strip() if "//" in address else f"//{address.strip()}")
        try:
            with socket.create_connection((parts.hostname or "", parts.port or default), timeout=3.0):
                return ""
        except (OSError, ValueError) as error:
            reason = str(getattr(error, "strerror", None) or error)
    return reason


def _start(address: str, name: str) -> str:
    local = any(host in address for host in ("127.0.0.1", "localhost", "[::1]"))
    return "streams up starts one" if local else f"start it, or set {name} to another address"


def _few(names: list[str], count: int = 3) -> str:
    more = f" and {len(names) - count} more" if len(names) > count else ""
    return ", ".join(_short(name) for name in names[:count]) + more


def _short(thing: object) -> str:
    text = " ".join(str(thing).split()) or type(thing).__name__
    return text if len(text) <= 300 else f"{text[:300]}..."
