"""HTTP status of a ClickHouse exception code, as the server answers it."""

from __future__ import annotations

# From ClickHouse's src/Server/HTTP/exceptionCodeToHTTPStatus.cpp; every code not listed is 500.
_CODES: dict[int, frozenset[int]] = {
    # REQUIRED_PASSWORD
    401: frozenset({194}),
    # UNKNOWN_USER, WRONG_PASSWORD, REQUIRED_SECOND_FACTOR, AUTHENTICATION_FAILED, ACCESS_DENIED
    403: frozenset({192, 193, 516, 497}),
    # arguments, types and data that do not fit
    400: frozenset(
        {6, 26, 27, 36, 37, 38, 39, 41, 43, 44, 53, 62, 63, 69, 70, 72, 117, 130, 131, 164, 344, 427, 456, 457}
    ),
    # unknown table, function, identifier, type, database, setting, format ...
    404: frozenset({16, 46, 47, 50, 56, 60, 63, 73, 81, 115, 111}),
    408: frozenset({159}),
    413: frozenset({307, 334}),
    501: frozenset({48}),
    503: frozenset({76, 202, 209, 373, 439}),
}
_STATUS = {code: status for status, codes in _CODES.items() for code in codes}


def http_status(code: int) -> int:
    """The status for an exception code."""
    return _STATUS.get(code, 500)
