"""ClickHouse SQL text taken apart without parsing it: statements of a script, their kind, where inserted data begins.

Quotes, comments and heredocs are skipped as the server skips them, so that a `;` or a keyword inside one means nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

# Order matters: comments and quotes first, so that nothing inside them is taken for a word. Everything is bytes,
# because the body of an insert is a statement followed by data that need not be text.
_TOKEN = re.compile(
    rb"""
      (?P<space>[\s\x00]++ | --[^\n]*+ | \#[!\s][^\n]*+ | /\*.*?(?:\*/|\Z))
    | (?P<quoted>'(?:[^'\\]++|\\.|'')*+(?:'|\Z) | `(?:[^`\\]++|\\.|``)*+(?:`|\Z) | "(?:[^"\\]++|\\.|"")*+(?:"|\Z))
    | (?P<heredoc>\$(?P<tag>\w*)\$.*?(?:\$(?P=tag)\$|\Z))
    | (?P<word>[^\W\d]\w*)
    | (?P<number>\d[\w.]*)
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)

READING = frozenset(
    {b"SELECT", b"WITH", b"SHOW", b"DESCRIBE", b"DESC", b"EXISTS", b"EXPLAIN", b"CHECK", b"FROM", b"VALUES"}
)

_OUTPUT_FORMAT = re.compile(rb"\bFORMAT\s+([A-Za-z]\w*)\s*(?:\bSETTINGS\s[^;']*)?[;\s]*\Z", re.IGNORECASE)
_TAIL = 4096

_OPENING, _CLOSING = (b"(", b"[", b"{"), (b")", b"]", b"}")

# Words after which an insert brings its own rows.
_COMPLETE = frozenset({b"SELECT", b"WITH", b"INFILE", b"WATCH", b"VALUES"})

# No real head of an insert is longer than this.
_INSERT_HEAD_LIMIT = 1 << 20


@dataclass(frozen=True, slots=True)
class Token:
    """One piece of a statement; `word` is upper case and empty for anything that is no bare word."""

    word: bytes
    text: bytes
    start: int
    end: int


def tokens(text: bytes, position: int = 0) -> Iterator[Token]:
    """Tokens of `text` from `position` on, without white space and comments."""
    for match in _TOKEN.finditer(text, position):
        if match.lastgroup == "space":
            continue
        piece = match.group()
        word = piece.upper() if match.lastgroup == "word" else b""
        yield Token(word, piece, match.start(), match.end())


def split(script: str) -> list[str]:
    """Statements of a script, in order, without their `;` and without the empty ones.

    Comments before a statement are dropped; those inside it stay.
    """
    text = script.encode()
    statements = []
    first: Token | None = None
    last: Token | None = None
    for token in tokens(text):
        if token.text == b";":
            if first and last:
                statements.append(text[first.start : last.end].decode())
            first = last = None
            continue
        first = first or token
        last = token
    if first and last:
        statements.append(text[first.start : last.end].decode())
    return statements


def first_word(text: bytes) -> bytes:
    """The keyword a statement begins with, in upper case; brackets before it are skipped; empty when there is none."""
    for token in tokens(text):
        if token.text != b"(":
            return token.word
    return b""


def is_reading(text: bytes) -> bool:
    """True for statements that only read."""
    return first_word(text) in READING


def output_format(text: bytes) -> str:
    """The name in the trailing `FORMAT name [SETTINGS ...]` of a statement, empty when it has none.

    Looks at the end only, because a statement may be megabytes of values; a comment there can mislead it.
    """
    found = _OUTPUT_FORMAT.search(text[-_TAIL:])
    return found.group(1).decode() if found else ""


@dataclass(frozen=True, slots=True)
class InsertHead:
    """The part of an insert before its data.

    `target` is `INSERT INTO ...` up to the SETTINGS clause, `settings` that clause or empty, `format` empty when the
    statement names none, `data` the offset at which data begins.
    """

    target: bytes
    settings: bytes
    format: str
    data: int


class NotData(Exception):
    """The statement is complete in itself: no data follows it (SELECT, DDL, `INSERT ... SELECT`)."""


def insert_head(text: bytes, *, whole: bool, data_follows: bool = False) -> InsertHead | None:
    """Take the head off `INSERT INTO ... FORMAT name <data>`.

    `whole` says that nothing more of the statement will come; while it is false None means: call again with more bytes.
    `data_follows` says that data comes from elsewhere (a body behind a query in the URL), so that an insert without
    FORMAT or with a bare VALUES is also one that takes data. Raises `NotData` for everything else.
    """
    depth = words = settings = 0
    before = Token(b"", b"", 0, 0)
    for token in tokens(text):
        # The last token of a partial text may be half a word or half a quote.
        if token.end == len(text) and not whole:
            break
        if words == 0 and token.word != b"INSERT":
            raise NotData
        words += 1
        if token.text in _OPENING:
            depth += 1
        elif token.text in _CLOSING:
            depth -= 1
        elif depth == 0 and token.word:
            if before.word == b"FORMAT":
                clause = text[settings : before.start] if settings else b""
                target = text[: settings or before.start]
                start = _data_start(text, token.end)
                if start == len(text) and not whole:
                    break  # the line end that belongs to the head may still come
                return InsertHead(target, clause, token.text.decode(), start)
            if token.word == b"VALUES" and data_follows:
                return InsertHead(text[: settings or token.start], b"", "Values", token.end)
            if token.word in _COMPLETE:
                raise NotData
            if token.word == b"SETTINGS":
                settings = token.start
        before = token
    if not whole:
        if len(text) > _INSERT_HEAD_LIMIT:
            raise NotData
        return None
    if words and data_follows:
        text = text.rstrip(b"; \t\r\n")
        return InsertHead(text[: settings or len(text)], text[settings:] if settings else b"", "", len(text))
    raise NotData


def _data_start(text: bytes, position: int) -> int:
    """The server skips blanks and then one line end behind the format's name; the next byte is data."""
    while text[position : position + 1] in (b" ", b"\t", b"\f"):
        position += 1
    if text[position : position + 1] == b"\r":
        position += 1
    if text[position : position + 1] == b"\n":
        position += 1
    return position
