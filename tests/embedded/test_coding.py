"""Compressed bodies come out whole, whatever number of frames they are made of."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from pathlib import Path

import lz4.frame
import pytest

from streams.embedded import coding

COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "lz4": lz4.frame.compress,
    "zstd": lambda data: coding.encode(data, "zstd"),
}


@pytest.mark.parametrize("frames", [1, 2, 5])
@pytest.mark.parametrize("encoding", COMPRESS)
def test_every_frame_of_a_body_is_decoded(encoding: str, frames: int, tmp_path: Path) -> None:
    pieces = [bytes([number]) * 700_000 for number in range(frames)]
    body = tmp_path / "body"
    body.write_bytes(b"".join(COMPRESS[encoding](piece) for piece in pieces))
    assert b"".join(pieces) == b"".join(coding.decode(body, encoding))


@pytest.mark.parametrize("encoding", COMPRESS)
def test_a_body_that_ends_inside_a_frame_is_an_error(encoding: str, tmp_path: Path) -> None:
    whole = COMPRESS[encoding](b"a" * 10_000) + COMPRESS[encoding](bytes(range(256)) * 40)
    body = tmp_path / "body"
    body.write_bytes(whole[:-6])
    with pytest.raises(coding.CodingError, match="ends inside a frame"):
        list(coding.decode(body, encoding))


@pytest.mark.parametrize("encoding", [*COMPRESS, "snappy", "br"])
def test_a_body_that_is_not_what_it_says_is_an_error(encoding: str, tmp_path: Path) -> None:
    body = tmp_path / "body"
    body.write_bytes(b"this is plain text")
    with pytest.raises(coding.CodingError):
        list(coding.decode(body, encoding))


@pytest.mark.parametrize("encoding", coding.ANSWERS)
def test_an_answer_can_be_read_back(encoding: str, tmp_path: Path) -> None:
    body = tmp_path / "body"
    body.write_bytes(coding.encode(b"answer" * 1000, encoding))
    assert b"answer" * 1000 == b"".join(coding.decode(body, encoding))


@pytest.mark.parametrize(
    ("accepted", "expected"),
    [("lz4,zstd,gzip", "lz4"), ("br, gzip;q=0.5", "gzip"), ("gzip;q=0, deflate", "deflate"), ("", ""), ("br", "")],
)
def test_an_answer_takes_the_first_encoding_that_can_be_written(accepted: str, expected: str) -> None:
    assert expected == coding.answer_encoding(accepted)
