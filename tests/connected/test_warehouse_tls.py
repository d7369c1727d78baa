"""A warehouse behind TLS with an authority of its own: it is trusted when named, and else refused with the way out."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
import trustme
from relays import relay

from streams.clickhouse import Warehouse, WarehouseError, WarehouseUnavailable
from streams.settings import WarehouseSettings

pytestmark = pytest.mark.connected


def other_machine() -> object:
    """An address that is not taken for this machine's, whose connections are pooled in another way."""
    return pytest.param(
        "127.0.0.2", marks=pytest.mark.skipif(sys.platform != "linux", reason="has one loopback address")
    )


@pytest.fixture(params=["127.0.0.1", other_machine()])
def settings_over_tls(
    warehouse: Warehouse, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[WarehouseSettings]:
    monkeypatch.setenv("no_proxy", "127.0.0.2")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    with relay(warehouse.settings.url, [], authority.issue_cert(request.param), request.param) as url:
        yield warehouse.settings.model_copy(update={"url": url, "ssl_cafile": tmp_path / "ca.pem"})


def test_rows_are_written_and_read_over_tls(settings_over_tls: WarehouseSettings) -> None:
    with contextlib.closing(Warehouse(settings_over_tls)) as client:
        client.command("CREATE TABLE {store}.numbers (n UInt64) ENGINE = MergeTree ORDER BY n")
        client.insert("{store}.numbers", pa.table({"n": pa.array(range(1000), pa.uint64())}))
        counted = client.rows("SELECT count(), sum(n) FROM {store}.numbers")
        client.command("DROP TABLE {store}.numbers")
    assert [(1000, 499500)] == counted


def test_a_certificate_that_nobody_vouches_for_is_refused_with_the_setting_that_helps(
    settings_over_tls: WarehouseSettings,
) -> None:
    client = Warehouse(settings_over_tls.model_copy(update={"ssl_cafile": None}))
    with contextlib.closing(client), pytest.raises(WarehouseUnavailable) as away:
        client.rows("SELECT 1")
    assert re.search(r"its certificate is not trusted: unable to get .*; set warehouse\.ssl_cafile", str(away.value))


def sql(settings: WarehouseSettings, cafile: Path) -> subprocess.CompletedProcess[str]:
    """`streams sql`, which speaks for itself: answers are passed on as they come."""
    where = {"url": settings.url, "database": settings.database, "ssl_cafile": cafile}
    options = [word for name, value in where.items() for word in ("--set", f"warehouse.{name}={value}")]
    command = [sys.executable, "-m", "streams", *options, "sql", "SELECT 6 * 7"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("settings_over_tls", ["127.0.0.1"], indirect=True)
def test_the_command_for_one_query_trusts_the_same(settings_over_tls: WarehouseSettings, tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("")
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")

    told = sql(settings_over_tls, tmp_path / "ca.pem")
    untold, empty = (sql(settings_over_tls, tmp_path / name) for name in ("other.pem", "empty.pem"))

    assert (0, "42\n") == (told.returncode, told.stdout), told.stderr
    assert (3, True) == (untold.returncode, "next: set warehouse.ssl_cafile to the PEM" in untold.stderr), untold.stderr
    assert (2, True) == (empty.returncode, "empty.pem holds no certificate" in empty.stderr), empty.stderr


def test_a_certificate_of_another_name_is_refused_with_the_setting_that_helps(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    with relay(warehouse.settings.url, [], authority.issue_cert("clickhouse.example")) as url:
        client = Warehouse(warehouse.settings.model_copy(update={"url": url, "ssl_cafile": tmp_path / "ca.pem"}))
        with contextlib.closing(client), pytest.raises(WarehouseUnavailable) as away:
            client.rows("SELECT 1")
    assert re.search(r"mismatch.*; set warehouse\.url to names that are in the certificate", str(away.value))


@pytest.mark.parametrize("name", ["nowhere.pem", "empty.pem"])
def test_an_authority_file_without_a_certificate_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty.pem").write_text("")
    settings = WarehouseSettings(url="https://127.0.0.1:1", ssl_cafile=tmp_path / name)
    with pytest.raises(WarehouseError, match=rf"warehouse\.ssl_cafile .*{name} holds no certificate: ") as refused:
        Warehouse(settings).rows("SELECT 1")
    assert not isinstance(refused.value, WarehouseUnavailable), "it would be waited out"
