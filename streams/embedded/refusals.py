"""Statements that the embedded warehouse does not run: they would break its directory or reach past it."""

from __future__ import annotations

import re

from streams import statements
from streams.embedded.directory import REFUSED_ENGINES
from streams.embedded.engine import BAD_ARGUMENTS, SUPPORT_IS_DISABLED, EngineError

_ENGINE = re.compile(rb"\bENGINE\s*=?\s*(\w+)", re.IGNORECASE)
_REACH = re.compile(rb"\b(?:INFILE|OUTFILE|file|fileCluster|executable|python|filesystem)\b", re.IGNORECASE)
_REACHING_FUNCTIONS = frozenset({b"FILE", b"FILECLUSTER", b"EXECUTABLE", b"PYTHON", b"FILESYSTEM"})


def _refused(code: int, sentence: str, name: str) -> EngineError:
    return EngineError(code, f"Code: {code}. DB::Exception: {sentence} ({name})")


def refuse(sql: bytes) -> None:
    """Raise `EngineError` for a statement that is not run here."""
    # Regular expressions first: a statement may be megabytes of values, and nearly none needs the closer look.
    if statements.first_word(sql) in (b"CREATE", b"ATTACH", b"REPLACE"):
        for match in _ENGINE.finditer(sql):
            name = match.group(1).decode()
            if name.lower() in REFUSED_ENGINES:
                raise _refused(
                    SUPPORT_IS_DISABLED,
                    f"ENGINE = {name} is not available in the embedded warehouse: the table would keep its "
                    "directory from being opened again. Use a ClickHouse server for it.",
                    "SUPPORT_IS_DISABLED",
                )
    if _REACH.search(sql):
        before = b""
        for token in statements.tokens(sql):
            if token.word in (b"INFILE", b"OUTFILE"):
                raise _refused(BAD_ARGUMENTS, f"{token.word.decode()} is for clients, not for HTTP.", "BAD_ARGUMENTS")
            if token.text == b"(" and before in _REACHING_FUNCTIONS:
                raise _refused(
                    SUPPORT_IS_DISABLED,
                    f"the function {before.decode().lower()}() is not available over HTTP in the embedded warehouse.",
                    "SUPPORT_IS_DISABLED",
                )
            before = token.word
    if b";" in sql.rstrip(b"; \t\r\n"):
        seen = False
        for token in statements.tokens(sql):
            if seen and token.text != b";":
                raise _refused(62, "Syntax error: multi-statements are not allowed.", "SYNTAX_ERROR")
            seen = seen or token.text == b";"
