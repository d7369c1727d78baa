"""Statements are taken apart as the server would, whatever stands inside quotes and comments."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams import statements


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("", []),
        (" ;; \n; -- nothing\n", []),
        ("SELECT 1", ["SELECT 1"]),
        ("SELECT 1; SELECT 2;", ["SELECT 1", "SELECT 2"]),
        ("SELECT 'a;b'; SELECT `c;d`, \"e;f\"", ["SELECT 'a;b'", 'SELECT `c;d`, "e;f"']),
        ("SELECT 'it''s; here'; SELECT 2", ["SELECT 'it''s; here'", "SELECT 2"]),
        ("SELECT 'back\\'slash; here'; SELECT 2", ["SELECT 'back\\'slash; here'", "SELECT 2"]),
        ("SELECT '\\\\'; SELECT 2", ["SELECT '\\\\'", "SELECT 2"]),
        ("SELECT 1 -- one; two\n, 2; SELECT 3", ["SELECT 1 -- one; two\n, 2", "SELECT 3"]),
        ("SELECT 1 /* one; 'two */, 2; SELECT 3", ["SELECT 1 /* one; 'two */, 2", "SELECT 3"]),
        ("SELECT $tag$a;b$other$;$tag$; SELECT 2", ["SELECT $tag$a;b$other$;$tag$", "SELECT 2"]),
        ("-- title: x\n\nCREATE TABLE a;\n# also a comment; yes\nDROP TABLE a", ["CREATE TABLE a", "DROP TABLE a"]),
        ("SELECT '社区；;'; SELECT 2", ["SELECT '社区；;'", "SELECT 2"]),
    ],
)
def test_a_script_is_split_at_the_semicolons_that_end_statements(script: str, expected: list[str]) -> None:
    assert expected == statements.split(script)


@given(st.lists(st.text(alphabet=st.characters(exclude_characters="\x00", codec="utf-8"), max_size=20), max_size=6))
def test_any_text_in_a_literal_stays_in_its_statement(texts: list[str]) -> None:
    quoted = ["SELECT '" + text.replace("\\", "\\\\").replace("'", "''") + "'" for text in texts]
    assert quoted == statements.split(";\n".join(quoted))


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        (b"SELECT 1", True),
        (b"  -- why\n(select 1) UNION ALL (select 2)", True),
        (b"WITH a AS (SELECT 1) SELECT * FROM a", True),
        (b"SHOW TABLES", True),
        (b"INSERT INTO a SELECT 1", False),
        (b"/* SELECT */ DROP TABLE a", False),
        (b"", False),
    ],
)
def test_a_reading_statement_is_told_by_its_first_word(sql: bytes, expected: bool) -> None:
    assert expected == statements.is_reading(sql)


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        (b"SELECT 1", ""),
        (b"SELECT 1 FORMAT JSON", "JSON"),
        (b"SELECT 1\nformat TabSeparated ;\n", "TabSeparated"),
        (b"SELECT 1 FORMAT CSV SETTINGS max_threads = 1", "CSV"),
        (b"SELECT 'x FORMAT JSON'", ""),
        (b"SELECT format AS b FROM t", ""),
    ],
)
def test_the_output_format_is_the_one_named_last(sql: bytes, expected: str) -> None:
    assert expected == statements.output_format(sql)


@pytest.mark.parametrize(
    ("text", "target", "settings", "name", "data"),
    [
        (b"INSERT INTO t FORMAT Native\n\x00\xff", b"INSERT INTO t", b"", "Native", b"\x00\xff"),
        (b"INSERT INTO t (a, `b FORMAT c`) FORMAT CSV\r\n1,2", b"INSERT INTO t (a, `b FORMAT c`)", b"", "CSV", b"1,2"),
        (
            b"insert into t settings a = 1 format JSONEachRow {}",
            b"insert into t",
            b"settings a = 1",
            "JSONEachRow",
            b"{}",
        ),
        (b"INSERT INTO t FORMAT TabSeparated\n\n1", b"INSERT INTO t", b"", "TabSeparated", b"\n1"),
        (b"/* FORMAT x */ INSERT INTO t FORMAT CSV\n", b"/* FORMAT x */ INSERT INTO t", b"", "CSV", b""),
    ],
)
def test_the_head_of_an_insert_ends_where_its_data_begins(
    text: bytes, target: bytes, settings: bytes, name: str, data: bytes
) -> None:
    head = statements.insert_head(text, whole=True)
    assert head is not None
    assert (target, settings, name, data) == (
        head.target.strip(),
        head.settings.strip(),
        head.format,
        text[head.data :],
    )


def test_data_is_the_same_wherever_the_network_cuts_the_text() -> None:
    text = b"INSERT INTO community.events (event_id, text) FORMAT ArrowStream \r\n\n\x01\x02\x03"
    found = []
    for size in range(1, len(text) + 1):
        head = statements.insert_head(text[:size], whole=False)
        if head:
            found.append((head.format, head.target.strip(), text[:size][head.data :] + text[size:]))
    assert len(found) >= 4
    assert {("ArrowStream", text[: text.index(b" FORMAT")], b"\n\x01\x02\x03")} == set(found)


@pytest.mark.parametrize(
    "text",
    [
        b"SELECT 1",
        b"INSERT INTO t SELECT * FROM u FORMAT Null",
        b"INSERT INTO t VALUES (1)",
        b"INSERT INTO t FROM INFILE 'x' FORMAT CSV",
        b"INSERT INTO t WITH 1 AS a SELECT a",
        b"CREATE TABLE t (format String)",
    ],
)
def test_a_statement_that_is_complete_takes_no_data(text: bytes) -> None:
    with pytest.raises(statements.NotData):
        statements.insert_head(text, whole=True)


def test_an_insert_whose_data_comes_in_the_body_may_omit_the_format_or_say_values() -> None:
    bare = statements.insert_head(b"INSERT INTO t (a);", whole=True, data_follows=True)
    values = statements.insert_head(b"INSERT INTO t (a) VALUES", whole=True, data_follows=True)
    assert bare and values
    assert ((b"INSERT INTO t (a)", ""), (b"INSERT INTO t (a) ", "Values")) == (
        (bare.target, bare.format),
        (values.target, values.format),
    )
