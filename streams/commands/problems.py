"""What a user reads when a command cannot go on: what happened, why, and the next command; one place for all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

FINDINGS, USAGE, UNREACHABLE = 1, 2, 3


@dataclass(frozen=True)
class Problem:
    """Three sentences and the exit code: 1 findings, 2 usage or settings, 3 something cannot be reached."""

    what: str
    why: str
    next: str
    code: int

    def __str__(self) -> str:
        lines = [f"error: {self.what}"]
        if self.why:
            lines.append(f"  why:  {self.why}")
        if self.next:
            lines.append(f"  next: {self.next}")
        return "\n".join(lines)


class Refused(Exception):
    """A command's own refusal, with the text for the user."""

    def __init__(self, what: str, why: str = "", next: str = "", code: int = USAGE) -> None:
        super().__init__(what)
        self.problem = Problem(what, why, next, code)


def explained(error: BaseException) -> Problem | None:
    """The problem a known exception stands for; None for a bug, whose traceback is wanted.

    Exceptions are known by dotted name, so that nothing is imported that the command did not need.
    """
    if isinstance(error, Refused):
        return error.problem
    for kind in type(error).__mro__:
        describe = KNOWN.get(f"{kind.__module__}.{kind.__qualname__}")
        if describe is not None:
            return describe(error)
    return None


def _spoken(error: BaseException) -> Problem:
    """For exceptions that carry `what`, `why` and `next` themselves."""
    return Problem(
        str(getattr(error, "what", error)),
        str(getattr(error, "why", "")),
        str(getattr(error, "next", "")),
        int(getattr(error, "code", USAGE)),
    )


def _invalid(error: BaseException) -> Problem:
    errors: list[dict[str, Any]] = getattr(error, "errors", list)()
    why = "; ".join(f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in errors)
    return Problem("a value is not valid", why, "streams config show lists every setting", USAGE)


def _warehouse_away(error: BaseException) -> Problem:
    return Problem(
        "the warehouse cannot be reached",
        _one_line(error),
        "streams doctor checks every part; streams up starts the embedded ones",
        UNREACHABLE,
    )


def _warehouse_refused(error: BaseException) -> Problem:
    return Problem("the warehouse refused the statement", _one_line(error), "correct it and run it again", FINDINGS)


def _broker_away(error: BaseException) -> Problem:
    return Problem(
        "the Kafka broker cannot be reached",
        _one_line(error),
        "streams doctor checks every part; streams up starts the embedded ones; "
        "another broker: --set kafka.bootstrap=host:9092",
        UNREACHABLE,
    )


def _broker_refused(error: BaseException) -> Problem:
    return Problem(
        "the Kafka broker refused us",
        _one_line(error),
        "check kafka.security_protocol, kafka.sasl_* and the ACLs: streams config show",
        UNREACHABLE,
    )


def _broker_answered(error: BaseException) -> Problem:
    return Problem("the Kafka broker answered with an error", _one_line(error), "streams doctor", UNREACHABLE)


def _no_topic(error: BaseException) -> Problem:
    return Problem("a topic is missing", _one_line(error), "streams topics apply", FINDINGS)


def _undelivered(error: BaseException) -> Problem:
    return Problem(
        "some events were not delivered",
        _one_line(error),
        "publish them again when the broker is well: the same event_id is stored once",
        UNREACHABLE,
    )


def _rejected(error: BaseException) -> Problem:
    field = str(getattr(error, "field", ""))
    detail = str(getattr(error, "detail", error))
    why = f"{getattr(error, 'reason', 'invalid')}: " + (
        f"{field}: {detail}" if field and field not in detail else detail
    )
    return Problem(
        "the event does not follow the contract", why, "streams contract export writes the JSON Schemas", FINDINGS
    )


def _migrations(error: BaseException) -> Problem:
    return Problem("the migrations cannot be applied", _one_line(error), "streams migrate --status", FINDINGS)


def _no_sql(error: BaseException) -> Problem:
    return Problem("the SQL files cannot be read", _one_line(error), "install the package again", FINDINGS)


def _in_use(error: BaseException) -> Problem:
    return Problem("the data directory is in use", _one_line(error), "", USAGE)


def _child_failed(error: BaseException) -> Problem:
    return Problem("a part did not start, or ended", str(error), "streams doctor", UNREACHABLE)


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 600 else f"{text[:600]}..."


KNOWN: dict[str, Callable[[BaseException], Problem]] = {
    "streams.config.ConfigError": _spoken,
    "streams.communities.file.SettingsFault": _spoken,
    "streams.embedded.stack.StackError": _spoken,
    "streams.kafka_connection.BrokerError": _spoken,
    "streams.migrations.MigrationError": _migrations,
    "streams.sql_files.SqlFilesError": _no_sql,
    "streams.embedded.directory.DirectoryInUse": _in_use,
    "streams.embedded.child.ChildFailed": _child_failed,
    "streams.embedded.engine.EngineError": _child_failed,
    "pydantic_core._pydantic_core.ValidationError": _invalid,
    "streams.clickhouse.WarehouseUnavailable": _warehouse_away,
    "streams.clickhouse.WarehouseError": _warehouse_refused,
    "streams.topics.errors.Rejected": _rejected,
    "streams.publisher.DeliveryFailed": _undelivered,
    "kafka.errors.UnknownTopicOrPartitionError": _no_topic,
    "kafka.errors.SaslAuthenticationFailedError": _broker_refused,
    "kafka.errors.AuthorizationError": _broker_refused,
    "kafka.errors.BrokerNotAvailableError": _broker_away,
    "kafka.errors.BrokerResponseError": _broker_answered,
    "kafka.errors.KafkaError": _broker_away,
}
