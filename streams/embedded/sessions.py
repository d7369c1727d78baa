"""Sessions of HTTP clients: what `session_id` keeps from one request to the next, and fresh ones for everybody else."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from streams import statements
from streams.embedded.engine import Engine, Session, failure
from streams.embedded.protocol import Request


@dataclass(slots=True)
class _Kept:
    session: Session
    expires: float = 0.0
    busy: bool = False
    settings: list[str] = field(default_factory=list)


class Sessions:
    """Temporary tables, `USE` and `SET` live until `session_timeout` passes without a request of their session."""

    def __init__(self, engine: Engine, limit: int) -> None:
        self._engine = engine
        self._limit = limit
        self._lock = threading.Lock()
        self._kept: dict[str, _Kept] = {}

    @contextmanager
    def of(self, request: Request) -> Iterator[Session]:
        """The session a request runs in. Raises `EngineError` when it is in use, missing, or one too many."""
        # A session that was made read-only cannot be made writable again, so such a request runs beside its session.
        if not request.session_id or request.read_only or request.settings.get("readonly", "0") != "0":
            session = self._engine.session()
            try:
                yield session
            finally:
                session.close()
            return
        kept = self._take(request)
        try:
            yield kept.session
            if statements.first_word(request.sql) == b"SET":
                kept.settings.append(request.sql.decode())
        finally:
            self._give_back(request, kept)

    def _take(self, request: Request) -> _Kept:
        now = time.monotonic()
        with self._lock:
            for name in [name for name, kept in self._kept.items() if not kept.busy and kept.expires < now]:
                self._kept.pop(name).session.close()
            kept = self._kept.get(request.session_id)
            if kept is None:
                if request.session_must_exist:
                    raise failure(372, "Session not found", "SESSION_NOT_FOUND")
                if len(self._kept) >= self._limit:
                    raise failure(202, f"there are {self._limit} sessions already", "TOO_MANY_SIMULTANEOUS_QUERIES")
                kept = self._kept[request.session_id] = _Kept(self._engine.session())
            elif kept.busy:
                raise failure(373, "Session is locked by a concurrent client", "SESSION_IS_LOCKED")
            kept.busy = True
        return kept

    def _give_back(self, request: Request, kept: _Kept) -> None:
        """Settings in a URL are for one request, those of SET for the session."""
        try:
            kept.session.reset()
            for statement in kept.settings:
                kept.session.run(statement)
        finally:
            kept.expires = time.monotonic() + request.session_timeout_s
            kept.busy = False

    def close(self) -> None:
        """Forget all of them."""
        with self._lock:
            while self._kept:
                self._kept.popitem()[1].session.close()
