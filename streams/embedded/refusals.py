"""Statements that the embedded warehouse does not run: they would break its directory, end it or read past it."""

from __future__ import annotations

import re

from streams import statements
from streams.embedded.directory import REFUSED_ENGINES
from streams.embedded.engine import failure

_ENGINE = re.compile(rb"\bENGINE\s*=?\s*(\w+)", re.IGNORECASE)

# Functions, engines and dictionary sources that read or run what lies outside the data directory.
_OUTSIDE = frozenset({b"FILE", b"FILECLUSTER", b"FILESYSTEM", b"SQLITE", b"EXECUTABLE", b"EXECUTABLEPOOL", b"PYTHON"})
_SUSPECT = (b"INFILE", b"OUTFILE", b"SHUTDOWN", b"KILL", *_OUTSIDE)


def refuse(sql: bytes) -> None:
    """Raise `EngineError` for a statement that is not run here."""
    # A plain search first: a statement may be megabytes of values, and nearly none needs the closer look.
    first = statements.first_word(sql)
    if first in (b"CREATE", b"ATTACH", b"REPLACE"):
        for match in _ENGINE.finditer(sql):
            name = match.group(1).decode()
            if name.lower() in REFUSED_ENGINES:
                raise failure(
                    344,
                    f"ENGINE = {name} is not available in the embedded warehouse: the table would keep its directory "
                    "from being opened again; use a ClickHouse server for it",
                    "SUPPORT_IS_DISABLED",
                )
    upper = sql.upper()
    if any(word in upper for word in _SUSPECT):
        before = b""
        for token in statements.tokens(sql):
            if token.word in (b"INFILE", b"OUTFILE"):
                raise failure(36, f"{token.word.decode()} is for clients, not for HTTP", "BAD_ARGUMENTS")
            if token.text == b"(" and before in _OUTSIDE:
                name = before.decode().lower()
                raise failure(344, f"{name}(...) is not available in the embedded warehouse", "SUPPORT_IS_DISABLED")
            if first == b"SYSTEM" and token.word in (b"SHUTDOWN", b"KILL"):
                raise failure(344, "end the warehouse with a signal to its process", "SUPPORT_IS_DISABLED")
            before = token.word
    if b";" in sql.rstrip(b"; \t\r\n"):
        ended = False
        for token in statements.tokens(sql):
            if ended and token.text != b";":
                raise failure(62, "Syntax error: Multi-statements are not allowed", "SYNTAX_ERROR")
            ended = ended or token.text == b";"
