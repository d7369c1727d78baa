"""Statements that would break the embedded warehouse or reach past it are refused; those that look alike are not."""

from __future__ import annotations

import pytest

from streams.embedded.engine import EngineError
from streams.embedded.refusals import refuse


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        (b"CREATE TABLE a (b Int8) ENGINE = Kafka('x', 'y')", 344),
        (b"create table if not exists a (b Int8)\nengine kafka settings x = 1", 344),
        (b"CREATE TABLE a (b Int8) ENGINE = RabbitMQ", 344),
        (b"SELECT * FROM file('/etc/passwd', 'LineAsString')", 344),
        (b"SELECT * FROM `x` UNION ALL SELECT * FROM FILE ('/etc/passwd')", 344),
        (b"CREATE DICTIONARY d (a Int8) PRIMARY KEY a SOURCE(EXECUTABLE(COMMAND 'id'))", 344),
        (b"SELECT * FROM python(x)", 344),
        (b"INSERT INTO t FROM INFILE '/etc/passwd' FORMAT CSV", 36),
        (b"SELECT 1 INTO OUTFILE '/tmp/x'", 36),
        (b"SYSTEM SHUTDOWN", 344),
        (b"SELECT 1; DROP TABLE a", 62),
        (b"SELECT 1; -- nothing\n;SELECT 2", 62),
    ],
)
def test_a_dangerous_statement_is_refused(sql: bytes, code: int) -> None:
    with pytest.raises(EngineError) as refused:
        refuse(sql)
    assert code == refused.value.code


@pytest.mark.parametrize(
    "sql",
    [
        b"SELECT 'CREATE TABLE a ENGINE = Kafka', 'file(''x'')', 'a; b'",
        b"SELECT file, python FROM t WHERE file IN ('INTO OUTFILE')",
        b"SELECT 1 /* INTO OUTFILE '/tmp/x' */;",
        b"CREATE TABLE a (b Int8) ENGINE = MergeTree ORDER BY b COMMENT 'like file(x)'",
        b"KILL QUERY WHERE query_id = 'x'",
        b"SELECT 1; ; -- end\n",
    ],
)
def test_a_harmless_statement_is_not_refused(sql: bytes) -> None:
    refuse(sql)
