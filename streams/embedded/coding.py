"""Content encodings of the ClickHouse HTTP protocol: request bodies of several frames, and compressed answers."""

from __future__ import annotations

import importlib
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import lz4.frame

_CHUNK = 1 << 20
_GZIP = 31  # zlib's window bits for a gzip envelope

ANSWERS = ("zstd", "lz4", "gzip", "deflate")


class CodingError(Exception):
    """A body that is not what its Content-Encoding says, or an encoding this process does not know."""


class _Frame(Protocol):
    """One frame of compressed data, fed piece by piece."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, /) -> bytes: ...


def _zstd() -> Any:
    if sys.version_info >= (3, 14):
        return importlib.import_module("compression.zstd")
    return importlib.import_module("backports.zstd")


def _brotli() -> Any:
    try:
        return importlib.import_module("brotli")
    except ImportError as error:
        raise CodingError(
            "Content-Encoding br needs the package brotli, which is not installed; send gzip, zstd or lz4"
        ) from error


class _BrotliFrame:
    """brotli's decompressor in the shape of the others; a body is one frame."""

    def __init__(self) -> None:
        self._decompressor = _brotli().Decompressor()
        self.eof = False
        self.unused_data = b""

    def decompress(self, data: bytes, /) -> bytes:
        return bytes(self._decompressor.process(data))


def _frame(encoding: str) -> _Frame:
    if encoding == "lz4":
        return lz4.frame.LZ4FrameDecompressor()  # type: ignore[no-any-return]
    if encoding == "zstd":
        return _zstd().ZstdDecompressor()  # type: ignore[no-any-return]
    if encoding in ("gzip", "x-gzip"):
        return zlib.decompressobj(_GZIP)
    if encoding == "deflate":
        return zlib.decompressobj()
    if encoding == "br":
        return _BrotliFrame()
    raise CodingError(f"Content-Encoding {encoding!r} is not known; send gzip, deflate, zstd, lz4 or br")


def decode(source: Path, encoding: str) -> Iterator[bytes]:
    """Decompressed pieces of the file `source`, which may hold several frames one behind the other.

    Clients compress block by block, so that a body is a sequence of frames; decoding only the first would lose rows
    without an error. Raises `CodingError`, also for a body that ends inside a frame.
    """
    frame = _frame(encoding)
    started = False
    try:
        with source.open("rb") as stream:
            while piece := stream.read(_CHUNK):
                while piece:
                    if frame.eof:
                        frame, started = _frame(encoding), False
                    started = True
                    yield frame.decompress(piece)
                    piece = frame.unused_data if frame.eof else b""
    except (CodingError, GeneratorExit):
        raise
    except Exception as error:  # every library has an error type of its own
        raise CodingError(f"the body is not valid {encoding}: {error}") from error
    if started and not frame.eof and encoding != "br":
        raise CodingError(f"the body ends inside a frame of {encoding}")


def encode(body: bytes, encoding: str) -> bytes:
    """`body` as one frame."""
    if encoding == "lz4":
        return bytes(lz4.frame.compress(body))
    if encoding == "zstd":
        return bytes(_zstd().compress(body, 1))
    if encoding == "gzip":
        compressor = zlib.compressobj(3, zlib.DEFLATED, _GZIP)
        return compressor.compress(body) + compressor.flush()
    return zlib.compress(body, 3)


def answer_encoding(accepted: str) -> str:
    """The first encoding in an Accept-Encoding header that this process can write, empty when there is none."""
    for item in accepted.split(","):
        name, _, weight = item.partition(";")
        if name.strip() in ANSWERS and weight.replace(" ", "") not in ("q=0", "q=0.0"):
            return name.strip()
    return ""
