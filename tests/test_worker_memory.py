"""What is free goes back to the machine."""

from __future__ import annotations

import ctypes
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


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="only glibc since 2.33 tells")
def test_the_memory_of_a_fetch_is_its_own() -> None:
    class Mallinfo2(ctypes.Structure):
        _fields_ = tuple((name, ctypes.c_size_t) for name in ("arena", "ordblks", "smblks", "mapped", *"abcdef"))

    libc = ctypes.CDLL(None)
    libc.mallinfo2.restype = Mallinfo2
    # glibc would take this size for what it maps from now on.
    bytes(16 << 20)
    hand_back_memory()
    before = libc.mallinfo2().mapped
    fetched = [bytes(1 << 20) for _ in range(64)]
    # Some fit between what is there.
    assert libc.mallinfo2().mapped - before > len(fetched) / 2
