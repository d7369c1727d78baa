"""HTTP status of a ClickHouse exception code, as the server answers it."""

from __future__ import annotations

# As the server's table of HTTP statuses has it; every code not listed is 500.
_CODES: dict[int, frozenset[int]] = {
    # no password; wrong password, no such user, not allowed
    401: frozenset({194}),
    403: frozenset({192, 193, 497, 512, 516}),
    # arguments, types and data that do not fit
    400: frozenset(
        {6, 8, 15, 25, 26, 27, 36, 37, 38, 41, 44, 53, 62, 72, 117, 123, 167, 168, 223, 321, 376, 427, 441, 675, 676}
        # where the server says 500 although the request is at fault: read-only, not served here, query parameters
        | {164, 344, 372, 456, 457}
    ),
    # unknown table, function, identifier, type, database, setting, format ...
    404: frozenset({46, 47, 50, 56, 60, 63, 73, 78, 81, 115, 152, 336, 511}),
    408: frozenset({159}),
    411: frozenset({381}),
    413: frozenset({229, 307}),
    415: frozenset({779}),
    501: frozenset({48}),
    # the last two are 500 on a server; clients try again after a 503, which is what is wanted
    503: frozenset({76, 209, 439, 202, 373}),
}
_STATUS = {code: status for status, codes in _CODES.items() for code in codes}


def http_status(code: int) -> int:
    """The status for an exception code."""
    return _STATUS.get(code, 500)
