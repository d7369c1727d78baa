"""What is free goes back to the machine."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import warnings

import pyarrow as pa
import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # Faust's own imports
    from streams.processors.worker import hand_back_memory


@pytest.mark.parametrize("said", ["", "system"])
def test_arrow_uses_jemalloc_unless_it_is_told_otherwise(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    before = pa.default_memory_pool()
    monkeypatch.setenv("ARROW_DEFAULT_MEMORY_POOL", said)
    try:
        hand_back_memory()
        assert (before.backend_name if said else "jemalloc") == pa.default_memory_pool().backend_name
    finally:
        pa.set_memory_pool(before)


# Of a process of its own: in this one fetches may fit between what others left.
FETCHES = """
import ctypes, sys
from streams.processors.worker import hand_back_memory

class Mallinfo2(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in ("arena", "ordblks", "smblks", "mapped", *"abcdef")]

libc = ctypes.CDLL(None)
libc.mallinfo2.restype = Mallinfo2
bytes(16 << 20)  # glibc takes its size for what it maps from now on, unless it is told
if sys.argv[1] == "told":
    hand_back_memory()
before = libc.mallinfo2().mapped
fetched = [bytes(2 << 20) for _ in range(64)]
print(libc.mallinfo2().mapped - before)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="only glibc since 2.33 tells")
@pytest.mark.parametrize(("said", "mapped"), [("told", 64), ("not told", 0)])
def test_the_memory_of_a_fetch_is_its_own(said: str, mapped: int) -> None:
    ran = subprocess.run([sys.executable, "-c", FETCHES, said], check=True, capture_output=True, text=True)
    assert int(ran.stdout) == pytest.approx(mapped, abs=2)


# A worker whose port is taken ends as soon as it has begun.
RUN = """
import socket
import pyarrow as pa
from streams.processors.worker import run
from streams.settings import Settings, WorkerSettings

with socket.create_server(("127.0.0.1", 0)) as taken:
    try:
        run(Settings(_env_file=None, worker=WorkerSettings(port=taken.getsockname()[1])))
    except OSError:
        print(pa.default_memory_pool().backend_name)
"""


def test_a_worker_hands_back_its_memory() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "ARROW_DEFAULT_MEMORY_POOL"}
    ran = subprocess.run([sys.executable, "-c", RUN], check=True, capture_output=True, text=True, env=environment)
    assert ran.stdout == "jemalloc\n"
