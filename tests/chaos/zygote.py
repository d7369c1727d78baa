"""A process that has imported everything a worker needs and forks one on demand: a kill then costs no start-up.

Commands come as JSON lines over the socket given as first argument; the answer is the process id.
"""

from __future__ import annotations

import ctypes
import inspect
import json
import os
import signal
import socket
import sys
import traceback
from pathlib import Path

import aiokafka  # noqa: F401 - imported so that the workers need not
import clickhouse_connect  # noqa: F401
import faust.cli.worker
import faust.livecheck
import faust.transport.drivers.aiokafka  # noqa: F401

sys.path.insert(0, str(Path(__file__).parents[1]))

from chaos.marks import Marks, Plan, Watch
from chaos.mutants import MUTANTS
from chaos.traffic import encoded, traffic
from streams.processors.block import Batch, BatchDecoder, Record
from streams.processors.worker import run
from streams.settings import IngestSettings, Settings
from streams.topics import by_name


def main() -> None:
    """Serve until the socket closes."""
    commands = socket.socket(fileno=int(sys.argv[1]))
    warm_up()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps the workers
    with commands.makefile("rw") as lines:
        for line in lines:
            pid = os.fork()
            if pid == 0:
                commands.close()
                be_worker(json.loads(line))
            lines.write(f"{pid}\n")
            lines.flush()


def warm_up() -> None:
    """Decode once: what is imported and compiled at the first record is shared by all workers. Starts no thread."""
    for event in traffic(0, 50).events:
        family = by_name[event["type"]]
        records = [Record("warm", 0, 0, 0, None, value, ()) for value in (encoded(event), b"{")]
        BatchDecoder({"warm": family}, IngestSettings()).decode(Batch("warm", 0, records), now_ms=1 << 41)
    inspect.getmodule(inspect.currentframe())  # remembers the file of every module: Faust asks for each agent's


def be_worker(order: dict[str, object]) -> None:
    """Never returns."""
    try:
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # a worker must not outlive the harness
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setpgid(0, 0)
        output = os.open(str(order["log"]), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(output, 1)
        os.dup2(output, 2)
        mutant = str(order["mutant"])
        if mutant:
            MUTANTS[mutant].apply()
        plan = Plan(*order["plan"]) if order["plan"] else None  # type: ignore[misc]
        Watch(Marks(Path(str(order["marks"]))), plan).install()
        run(Settings.model_validate_json(str(order["settings"])))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(1)


if __name__ == "__main__":
    main()
