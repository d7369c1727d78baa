"""Everything on one machine: broker, warehouse and workers as supervised child processes of one command."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType, TracebackType
from urllib.parse import SplitResult, urlsplit

from streams.config import to_environment
from streams.embedded.broker import EmbeddedBroker
from streams.embedded.child import Child, ChildFailed, free_port
from streams.embedded.warehouse_process import EmbeddedWarehouse
from streams.settings import Settings

LOOPBACK = ("127.0.0.1", "localhost")
WORKER_TIMEOUT_S = 60.0
RESTARTS, RESTART_WINDOW_S = 3, 60.0
"""A worker that ended is started again, but not more often than this: then the fault is not in the moment."""


class StackError(RuntimeError):
    """The stack cannot start or go on; `what`, `why` and `next` are written for whoever runs the command."""

    def __init__(self, what: str, why: str, next: str, code: int = 3) -> None:
        super().__init__(f"{what}: {why}")
        self.what, self.why, self.next, self.code = what, why, next, code


class Stack:
    """Context manager around the embedded broker, the embedded warehouse and `workers` worker processes.

    Ports come from the settings; 0 picks a free one, one that is taken is replaced, and `say` is told. After `start`,
    `settings` holds what clients of this stack must use. Start it in the main thread: children end with their thread.
    """

    def __init__(self, settings: Settings, workers: int = 1, say: Callable[[str], None] = lambda line: None) -> None:
        self.settings = settings
        self._workers = workers
        self._say = say
        self._parts = ExitStack()
        self._broker: EmbeddedBroker | None = None
        self._warehouse: EmbeddedWarehouse | None = None
        self.workers: list[Child] = []
        self._worker_ports: list[int] = []
        self._restarts: list[float] = []

    @property
    def pids(self) -> dict[str, int]:
        """Process ids by name: broker, warehouse, worker 1 ..."""
        pids = {}
        if self._broker:
            pids["broker"] = self._broker.pid
        if self._warehouse:
            pids["warehouse"] = self._warehouse.pid
        return pids | {worker.name: worker.pid for worker in self.workers}

    @property
    def logs(self) -> Path:
        """Directory of the children's logs."""
        return self.settings.data_dir / "logs"

    def start(self) -> Stack:
        """Start every part in order; the workers still have to join. Raises `StackError`, and then nothing runs."""
        try:
            self._start()
        except ChildFailed as error:
            self.stop()
            raise StackError("a part of the stack did not start", str(error), "streams doctor") from None
        except BaseException:
            self.stop()
            raise
        return self

    def _start(self) -> None:
        for name, address in (
            ("kafka.bootstrap", self.settings.kafka.bootstrap),
            ("warehouse.url", self.settings.warehouse.url),
        ):
            if _host(address) not in LOOPBACK:
                raise StackError(
                    "everything embedded runs on this machine only",
                    f"{name} is {address}",
                    "streams worker uses that server; streams up wants an address on 127.0.0.1",
                    code=2,
                )
        self.settings.data_dir.mkdir(parents=True, exist_ok=True)
        self._lock()
        self._start_broker()
        self._start_warehouse()
        self._prepare()
        for number in range(1, self._workers + 1):
            self._start_worker(number)

    def _lock(self) -> None:
        path = self.settings.data_dir / "stack.lock"
        try:
            self._parts.enter_context(_held(path))
        except BlockingIOError:
            raise StackError(
                f"{self.settings.data_dir} is in use",
                f"process {path.read_text().strip() or '?'} runs a stack on it, and one directory serves one engine",
                "end that process, or choose another directory with --data-dir",
                code=2,
            ) from None

    def _start_broker(self) -> None:
        port = self._port("the broker", _port(self.settings.kafka.bootstrap, 9092))
        self._broker = EmbeddedBroker(port=port, log=self.logs / "broker.log")
        self._parts.enter_context(self._broker)
        kafka = self.settings.kafka.model_copy(
            update={
                "bootstrap": self._broker.bootstrap,
                "security_protocol": "PLAINTEXT",
                "idempotence": False,
                "replication_factor": 1,
            }
        )
        self.settings = self.settings.model_copy(update={"kafka": kafka})

    def _start_warehouse(self) -> None:
        port = self._port("the warehouse", _port(self.settings.warehouse.url, 8123))
        self._warehouse = EmbeddedWarehouse(
            self.settings.data_dir, port=port, password=self.settings.warehouse.password.get_secret_value()
        )
        self._parts.enter_context(self._warehouse)
        warehouse = self.settings.warehouse.model_copy(update={"url": self._warehouse.url, "user": "default"})
        self.settings = self.settings.model_copy(update={"warehouse": warehouse})

    def _prepare(self) -> None:
        from streams.clickhouse import Warehouse
        from streams.kafka_topics import apply_topics
        from streams.migrations import migrate

        warehouse = Warehouse(self.settings.warehouse)
        try:
            migrate(warehouse, metrics=self.settings.metrics)
        finally:
            warehouse.close()
        apply_topics(self.settings.kafka, self.settings.ingest.max_record_bytes)

    def _start_worker(self, number: int) -> None:
        wanted = self.settings.worker.port
        port = self._port(f"worker {number}", wanted + number - 1 if wanted else 0)
        if number == 1:
            self.settings = self.settings.model_copy(
                update={"worker": self.settings.worker.model_copy(update={"port": port})}
            )
        self.workers.append(self._new_worker(number, port))
        self._worker_ports.append(port)

    def _new_worker(self, number: int, port: int) -> Child:
        settings = self.settings.model_copy(update={"worker": self.settings.worker.model_copy(update={"port": port})})
        if settings.log_format == "auto":
            settings = settings.model_copy(update={"log_format": "console"})  # its log is a file for people
        worker = Child(
            f"worker {number}",
            [sys.executable, "-m", "streams", "worker"],
            self.logs / f"worker-{number}.log",
            env=to_environment(settings),
        )
        self._parts.callback(worker.stop)
        return worker

    def await_workers(self) -> None:
        """Return when every worker is well, which it is once it has its partitions. Raises `StackError`."""
        deadline = time.monotonic() + WORKER_TIMEOUT_S
        for worker, port in zip(self.workers, self._worker_ports, strict=True):
            status, said = health(self.settings.worker.host, port)
            while status != 200:
                self.check()
                if time.monotonic() > deadline:
                    raise StackError(
                        f"{worker.name} is not well after {WORKER_TIMEOUT_S:g} s",
                        f"its /health says: {said}; its log ends:\n{worker.log_tail()}",
                        f"less {worker.log}",
                    )
                time.sleep(0.1)
                status, said = health(self.settings.worker.host, port)

    def health(self) -> str:
        """What the first worker's /health says."""
        return health(self.settings.worker.host, self.settings.worker.port)[1]

    def check(self) -> None:
        """Start a worker again that has ended; raise `StackError` when that does not help or another part ended."""
        try:
            for part in (self._broker, self._warehouse):
                if part is not None:
                    part.check()
            for index, worker in enumerate(self.workers):
                if worker.exit_code() is not None:
                    self._restart(index, worker)
        except ChildFailed as error:
            raise StackError("a part of the stack has ended", str(error), f"ls {self.logs}") from None

    def _restart(self, index: int, worker: Child) -> None:
        now = time.monotonic()
        self._restarts = [at for at in self._restarts if now - at < RESTART_WINDOW_S]
        if len(self._restarts) >= RESTARTS:
            worker.check()
        self._restarts.append(now)
        self._say(f"{worker.name} ended with code {worker.exit_code()} and is started again; its log is {worker.log}")
        self.workers[index] = self._new_worker(index + 1, self._worker_ports[index])

    def wait(self, duration_s: float | None = None) -> None:
        """Supervise until `duration_s` is over, for ever without it. Raises `StackError` when a part ends."""
        until = None if duration_s is None else time.monotonic() + duration_s
        while until is None or time.monotonic() < until:
            self.check()
            time.sleep(0.5)

    def stop(self) -> None:
        """End every part, the workers first; no part is left running."""
        self._parts.close()
        self._broker = self._warehouse = None
        self.workers.clear()
        self._worker_ports.clear()

    def _port(self, whose: str, wanted: int) -> int:
        if wanted == 0:
            return free_port()
        if _free(wanted) and self._claim(wanted):
            return wanted
        port = free_port()
        self._say(f"port {wanted} is taken, {whose} uses {port}")
        return port

    def _claim(self, port: int) -> bool:
        """Keep other stacks of this user off a port that our part will bind only a second or two later."""
        try:
            self._parts.enter_context(_held(Path(tempfile.gettempdir()) / f"streams-{os.getuid()}-port-{port}.lock"))
        except BlockingIOError:
            return False
        return True

    def __enter__(self) -> Stack:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def health(host: str, port: int, timeout_s: float = 2.0) -> tuple[int | None, str]:
    """Status and body of a worker's /health; (None, reason) when nothing answers."""
    try:
        with urllib.request.urlopen(f"http://{host}:{port}/health", timeout=timeout_s) as answer:
            return answer.status, answer.read().decode(errors="replace")
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(errors="replace")
    except OSError as error:
        return None, str(getattr(error, "reason", error))


@contextmanager
def stoppable() -> Iterator[None]:
    """SIGINT, SIGTERM and SIGHUP raise KeyboardInterrupt once; later ones are ignored, so that shutdown is not torn."""
    seen = False

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal seen
        if not seen:
            seen = True
            raise KeyboardInterrupt

    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, interrupt) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _held(path: Path) -> Iterator[None]:
    """Hold a lock file with our process id in it; the kernel lets go of it however we end. Raises BlockingIOError."""
    with path.open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def _host(address: str) -> str:
    return _parts(address).hostname or ""


def _port(address: str, default: int) -> int:
    port = _parts(address).port
    return default if port is None else port


def _parts(address: str) -> SplitResult:
    return urlsplit(address if "//" in address else f"//{address.split(',')[0].strip()}")


def _free(port: int) -> bool:
    with socket.socket() as probe:
        # As servers bind: a port in TIME_WAIT is free for them.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
