"""The ClickHouse HTTP protocol as curl and other clients speak it, against the embedded warehouse."""

from __future__ import annotations

import gzip
import json
import socket
import zlib
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import clickhouse_connect
import lz4.frame
import pytest
import urllib3
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.external import ExternalData
from urllib3.filepost import encode_multipart_formdata

from streams.embedded import coding
from streams.embedded.child import ChildFailed
from streams.embedded.warehouse_process import EmbeddedWarehouse

pytestmark = pytest.mark.connected

COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "lz4": lz4.frame.compress,
    "zstd": lambda data: coding.encode(data, "zstd"),
}


class Http:
    """Requests to one server."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.pool = urllib3.PoolManager()

    def __call__(
        self,
        query: str | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        method: str = "POST",
        path: str = "/",
        **parameters: Any,
    ) -> urllib3.BaseHTTPResponse:
        fields = {**({} if query is None else {"query": query}), **{k: str(v) for k, v in parameters.items()}}
        return self.pool.request(
            method, f"{self.url}{path}?{urlencode(fields)}", body=body, headers=headers, retries=False
        )


@pytest.fixture
def http(warehouse_server: EmbeddedWarehouse) -> Iterator[Http]:
    http = Http(warehouse_server.url)
    yield http
    http.pool.clear()


@pytest.fixture
def table(http: Http, names: str) -> Iterator[str]:
    http(f"CREATE DATABASE {names}")
    http(f"CREATE TABLE {names}.t (n UInt64, s String) ENGINE = MergeTree ORDER BY n")
    yield f"{names}.t"
    http(f"DROP DATABASE {names}")


@pytest.fixture
def client(warehouse_server: EmbeddedWarehouse) -> Iterator[Client]:
    host, port = warehouse_server.url.removeprefix("http://").split(":")
    client = clickhouse_connect.get_client(host=host, port=int(port), dedicated_pool=True)
    yield client
    client.close()


def test_ping_and_the_root_answer_ok(http: Http) -> None:
    assert [(200, b"Ok.\n")] * 2 == [
        (answer.status, answer.data) for answer in (http(method="GET", path="/ping"), http(method="GET"))
    ]


@pytest.mark.parametrize(
    ("query", "body"),
    [("SELECT 1 + 1", None), (None, b"SELECT 1 + 1"), ("SELECT", b"1 + 1"), ("SELECT 1 + 1 -- half", b"")],
)
def test_the_statement_is_what_the_url_and_the_body_hold(http: Http, query: str | None, body: bytes | None) -> None:
    answer = http(query, body)
    assert (200, b"2\n") == (answer.status, answer.data)


def test_the_answer_says_its_format_its_query_and_its_cost(http: Http, table: str) -> None:
    http(f"INSERT INTO {table} SELECT number, 'x' FROM numbers(100)")
    answer = http(f"SELECT n FROM {table} FORMAT JSONEachRow", query_id="mine")
    assert ("JSONEachRow", "mine", "UTC") == (
        answer.headers["X-ClickHouse-Format"],
        answer.headers["X-ClickHouse-Query-Id"],
        answer.headers["X-ClickHouse-Timezone"],
    )
    summary = json.loads(answer.headers["X-ClickHouse-Summary"])
    assert ("100", "100", str(len(answer.data))) == (
        summary["read_rows"],
        summary["result_rows"],
        summary["result_bytes"],
    )
    assert "application/x-ndjson; charset=UTF-8" == answer.headers["Content-Type"]


def test_the_default_format_database_and_settings_come_from_the_url(http: Http, table: str) -> None:
    http(f"INSERT INTO {table} SELECT 7, 'x'")
    database = table.split(".")[0]
    answer = http(
        "SELECT n, getSetting('max_threads') AS m FROM t", database=database, default_format="CSV", max_threads=1
    )
    assert b"7,1\n" == answer.data


def test_parameters_are_bound_by_the_server(http: Http) -> None:
    hostile = "x' OR 1=1 -- \\' \t"
    escaped = hostile.replace("\\", "\\\\").replace("\t", "\\t")
    answer = http("SELECT {s:String} AS s, {n:UInt8} AS n FORMAT JSONCompactEachRow", param_s=escaped, param_n=5)
    assert [hostile, 5] == json.loads(answer.data)


def test_a_form_carries_query_parameters_and_external_tables(http: Http, client: Client) -> None:
    body, kind = encode_multipart_formdata(
        {"query": "SELECT {n:UInt8} + sum(a) FROM ext", "param_n": "5", "ext": ("ext.csv", b"1,x\n2,y\n", "text/csv")}
    )
    answer = http(None, body, {"Content-Type": kind}, ext_format="CSV", ext_structure="a UInt8, b String")
    assert b"8\n" == answer.data

    wanted = ExternalData(file_name="wanted.csv", data=b"1\n2\n", fmt="CSV", types=["UInt64"])
    rows = client.query(
        "SELECT number FROM numbers(10) WHERE number IN wanted AND number > {low:UInt64}",
        parameters={"low": 1},
        external_data=wanted,
    )
    assert [(2,)] == rows.result_rows


def test_long_values_are_taken_as_far_as_a_server_takes_them(http: Http) -> None:
    in_url = http("SELECT length({a:String}) + length({b:String})", param_a="a" * 100_000, param_b="b" * 100_000)
    assert b"200000\n" == in_url.data
    for size, status in ((120_000, 200), (140_000, 413)):
        body, kind = encode_multipart_formdata({"query": "SELECT length({a:String})", "param_a": "a" * size})
        assert status == http(None, body, {"Content-Type": kind}).status


def test_a_body_of_many_megabytes_is_a_statement(http: Http) -> None:
    numbers = ",".join(str(number) for number in range(700_000))
    query = f"SELECT length([{numbers}])".encode()
    answer = http(None, query, max_query_size=1 << 23, max_ast_elements=1 << 22, max_expanded_ast_elements=1 << 22)
    assert (200, b"700000\n") == (answer.status, answer.data)


def test_what_is_not_utf_8_is_refused_in_statements_and_kept_in_data(http: Http, table: str) -> None:
    assert 400 == http(None, b"SELECT '\xff'").status
    assert 200 == http(f"INSERT INTO {table} FORMAT CSV", b"1,\xff\n").status
    assert b"FF\n" == http(f"SELECT hex(s) FROM {table}").data


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("SELECT * FROM no_such_table", 404, "60"),
        ("SELEC 1", 400, "62"),
        ("", 400, "62"),
        ("SELECT no_such_column", 404, "47"),
        ("SELECT 1 SETTINGS no_such_setting = 1", 404, "115"),
        ("SELECT {missing:UInt8}", 400, "456"),
        ("SELECT throwIf(1)", 500, "395"),
        ("SELECT sleep(3) SETTINGS max_execution_time = 1", 408, "159"),
        ("CREATE TABLE x (a Int8) ENGINE = Kafka('h:1', 't', 'g', 'CSV')", 400, "344"),
        ("SELECT * FROM file('/etc/passwd', 'LineAsString')", 400, "344"),
        ("SELECT 1; SELECT 2", 400, "62"),
    ],
)
def test_an_error_has_the_status_and_the_code_of_the_server(http: Http, query: str, status: int, code: str) -> None:
    answer = http(query)
    assert (status, code) == (answer.status, answer.headers["X-ClickHouse-Exception-Code"])
    assert answer.data.startswith(f"Code: {code}. DB::Exception: ".encode())


def test_an_unknown_setting_in_the_url_is_an_error(http: Http) -> None:
    answer = http("SELECT 1", no_such_setting=1)
    assert (404, "115") == (answer.status, answer.headers["X-ClickHouse-Exception-Code"])


def test_a_get_may_not_write(http: Http, table: str) -> None:
    statements = [f"INSERT INTO {table} SELECT 1, 'a'", f"INSERT INTO {table} FORMAT CSV", f"DROP TABLE {table}"]
    assert [(400, "164")] * 3 == [
        (answer.status, answer.headers["X-ClickHouse-Exception-Code"])
        for answer in (http(statement, method="GET") for statement in statements)
    ]
    assert b"0\n" == http(f"SELECT count() FROM {table}", method="GET").data


@pytest.mark.parametrize("encoding", [None, *COMPRESS])
@pytest.mark.parametrize("query_in_url", [True, False])
def test_an_insert_keeps_every_row_of_every_compressed_frame(
    http: Http, table: str, encoding: str | None, query_in_url: bool
) -> None:
    blocks = [b"".join(b"%d,row %d\n" % (n, n) for n in range(start, start + 70_000)) for start in (0, 70_000, 140_000)]
    query = f"INSERT INTO {table} FORMAT CSV"
    if not query_in_url:
        blocks.insert(0, query.encode() + b"\n")
    body = b"".join(COMPRESS[encoding](block) if encoding else block for block in blocks)
    answer = http(query if query_in_url else None, body, {"Content-Encoding": encoding} if encoding else {})
    assert (200, "210000") == (answer.status, json.loads(answer.headers["X-ClickHouse-Summary"])["written_rows"])
    expected = f"210000\t{sum(range(210_000))}\t210000\n".encode()
    assert expected == http(f"SELECT count(), sum(n), uniqExact(s) FROM {table}").data


@pytest.mark.parametrize("compress", [False, "lz4", "zstd", "gzip"])
def test_clickhouse_connect_inserts_and_reads_every_row(
    warehouse_server: EmbeddedWarehouse, table: str, compress: str | bool
) -> None:
    host, port = warehouse_server.url.removeprefix("http://").split(":")
    client = clickhouse_connect.get_client(host=host, port=int(port), compress=compress, dedicated_pool=True)
    count = 200_000
    client.insert(table, [range(count), [str(n) for n in range(count)]], column_names=["n", "s"], column_oriented=True)
    assert [(count, count * (count - 1) // 2, count)] == client.query(
        f"SELECT count(), sum(n), uniqExact(s) FROM {table}"
    ).result_rows
    assert count == client.query(f"SELECT * FROM {table}").row_count
    assert count == client.query_arrow(f"SELECT * FROM {table}").num_rows
    client.close()


@pytest.mark.parametrize(
    ("query", "body"),
    [
        ("INSERT INTO {table} FORMAT JSONEachRow", b'{"n": 1, "s": "a"}\n{"n": 2}'),
        ("INSERT INTO {table} (n)", b"(1), (2)"),
        ("INSERT INTO {table} (n) VALUES", b"(1), (2)"),
        ("INSERT INTO {table} (n) VALUES (1), (2)", b""),
        ("INSERT INTO {table} SETTINGS input_format_allow_errors_num = 1 FORMAT CSV", b'1,"a"\nx\n2,"b"\n'),
        ("INSERT INTO {table} (n) SELECT number + 1 FROM", b"numbers(2)"),
    ],
)
def test_inserts_are_written_in_every_way_the_server_takes_them(
    http: Http, table: str, query: str, body: bytes
) -> None:
    answer = http(query.format(table=table), body)
    assert (200, b"") == (answer.status, answer.data)
    assert b"2\t3\n" == http(f"SELECT count(), sum(n) FROM {table}").data


@pytest.mark.parametrize("framing", ["Content-Length: 1000", "Transfer-Encoding: chunked"])
def test_an_insert_whose_body_breaks_off_inserts_nothing(http: Http, table: str, framing: str) -> None:
    host, port = http.url.removeprefix("http://").split(":")
    data = b"1,a\n2,b\n"
    body = data if "Length" in framing else b"%x\r\n%s\r\n" % (len(data), data)
    query = urlencode({"query": f"INSERT INTO {table} FORMAT CSV"})
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(f"POST /?{query} HTTP/1.1\r\nHost: {host}\r\n{framing}\r\n\r\n".encode() + body)
    # A whole one behind it, so that the broken one had its time.
    assert 200 == http(f"INSERT INTO {table} FORMAT CSV", b"7,z\n").status
    assert b"7\n" == http(f"SELECT groupArray(n)[1] FROM {table}").data
    assert b"1\n" == http(f"SELECT count() FROM {table}").data


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b"abc"),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data\r\n\r\n1\r\n--x--\r\n"),
        ("multipart/form-data; boundary=x", b"abc"),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="query"\r\n\r\nSELECT'),
    ],
)
def test_a_form_that_is_none_is_refused(http: Http, kind: str, body: bytes) -> None:
    assert 400 == http(None, body, {"Content-Type": kind}).status


def test_an_insert_with_bad_data_inserts_nothing(http: Http, table: str) -> None:
    answer = http(f"INSERT INTO {table} FORMAT CSV", b"1,a\nnot a number,b\n")
    assert 400 == answer.status
    truncated = http(
        f"INSERT INTO {table} FORMAT CSV", lz4.frame.compress(b"1,a\n" * 100)[:-8], {"Content-Encoding": "lz4"}
    )
    assert (400, True) == (truncated.status, b"ends inside a frame of lz4" in truncated.data)
    assert b"0\n" == http(f"SELECT count() FROM {table}").data


@pytest.mark.parametrize("encoding", coding.ANSWERS)
def test_an_answer_is_compressed_when_both_sides_agree(http: Http, encoding: str, tmp_path: Path) -> None:
    query = "SELECT repeat('a', 1000) FROM numbers(1000)"
    plain = http(query, headers={"Accept-Encoding": encoding})
    assert "Content-Encoding" not in plain.headers
    answer = http.pool.request(
        "POST",
        f"{http.url}/?enable_http_compression=1",
        body=query.encode(),
        headers={"Accept-Encoding": encoding},
        decode_content=False,
    )
    packed = tmp_path / "packed"
    packed.write_bytes(answer.data)
    assert encoding == answer.headers["Content-Encoding"]
    assert plain.data == b"".join(coding.decode(packed, encoding))


def test_a_session_keeps_its_temporary_tables_and_settings_and_nobody_else_has_them(http: Http, names: str) -> None:
    http("CREATE TEMPORARY TABLE mine (a UInt8)", session_id=names)
    http("INSERT INTO mine VALUES (1), (2)", session_id=names)
    http("SET max_block_size = 17", session_id=names)
    seen = "SELECT sum(a), getSetting('max_block_size'), getSetting('max_ast_depth') FROM mine"
    assert b"3\t99\t500\n" == http(seen, session_id=names, max_block_size=99, max_ast_depth=500).data
    assert b"3\t17\t1000\n" == http(seen, session_id=names).data
    assert [404, 404] == [http(seen).status, http(seen, session_id=f"{names}2").status]
    assert "372" == http("SELECT 1", session_id="none", session_check=1).headers["X-ClickHouse-Exception-Code"]


def test_web_pages_and_other_host_names_are_turned_away(http: Http) -> None:
    answers = [
        http("SELECT 1", headers={"Sec-Fetch-Site": "cross-site"}),
        http("SELECT 1", headers={"Host": "rebound.example:8123"}),
        http("SELECT 1", headers={"Host": "localhost:8123"}),
    ]
    assert [403, 403, 200] == [answer.status for answer in answers]


def test_a_password_is_asked_for_in_every_way_clients_send_one(tmp_path: Path) -> None:
    with EmbeddedWarehouse(tmp_path, password="s3cret") as server:
        http = Http(server.url)
        basic = b64encode(b"default:s3cret").decode()
        wrong = b64encode(b"default:nope").decode()
        answers = [
            http("SELECT 1"),
            http("SELECT 1", headers={"Authorization": f"Basic {wrong}"}),
            http("SELECT 1", headers={"X-ClickHouse-User": "other", "X-ClickHouse-Key": "s3cret"}),
            http("SELECT 1", headers={"Authorization": f"Basic {basic}"}),
            http("SELECT 1", headers={"Authorization": "Bearer s3cret"}),
            http("SELECT 1", headers={"X-ClickHouse-User": "default", "X-ClickHouse-Key": "s3cret"}),
            http("SELECT 1", user="default", password="s3cret"),
            http(method="GET", path="/ping"),
        ]
        http.pool.clear()
    assert [403, 403, 403, 200, 200, 200, 200, 200] == [answer.status for answer in answers]
    assert "516" == answers[0].headers["X-ClickHouse-Exception-Code"]
    assert "s3cret" not in (tmp_path / "warehouse.log").read_text()


def test_a_second_warehouse_on_the_same_directory_says_who_has_it(
    warehouse_server: EmbeddedWarehouse,
) -> None:
    from streams.embedded.directory import DirectoryInUse

    with pytest.raises(DirectoryInUse, match=f"process {warehouse_server.pid} "):
        EmbeddedWarehouse(warehouse_server.data_dir).start()


def test_a_port_in_use_is_named_in_the_error(warehouse_server: EmbeddedWarehouse, tmp_path: Path) -> None:
    port = int(warehouse_server.url.rsplit(":", 1)[1])
    with pytest.raises(ChildFailed, match=str(port)):
        EmbeddedWarehouse(tmp_path, port=port).start()
