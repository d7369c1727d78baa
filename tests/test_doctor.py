"""The doctor: what each check says when its part is missing, half there, or well."""

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from streams import doctor
from streams.config import to_environment
from streams.doctor import Check, examine, worst
from streams.settings import KafkaSettings, Settings, WarehouseSettings, WorkerSettings


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def nothing_runs(tmp_path: Path) -> Settings:
    return Settings(
        kafka=KafkaSettings(bootstrap=f"127.0.0.1:{free_port()}"),
        warehouse=WarehouseSettings(url=f"http://127.0.0.1:{free_port()}"),
        worker=WorkerSettings(port=free_port()),
        data_dir=tmp_path / "data",
    )


def by_name(checks: list[Check]) -> dict[str, Check]:
    return {check.name: check for check in checks}


def test_when_nothing_runs_each_part_fails_with_a_next_step(nothing_runs: Settings) -> None:
    checks = by_name(examine(nothing_runs))
    assert ["broker", "warehouse", "worker"] == [name for name, check in checks.items() if check.status == "fail"]
    assert "Connection refused" in checks["broker"].found
    assert {"streams up starts one"} == {checks["broker"].next, checks["warehouse"].next}
    assert "fail" == worst(list(checks.values()))


def test_a_remote_broker_is_not_answered_with_streams_up(nothing_runs: Settings) -> None:
    kafka = KafkaSettings(bootstrap="kafka.invalid:9092")
    check = next(iter(doctor.broker(nothing_runs.model_copy(update={"kafka": kafka}))))
    assert ("fail", "start it, or set kafka.bootstrap to another address") == (check.status, check.next)


def test_one_reachable_address_of_several_is_enough(nothing_runs: Settings) -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        assert "" == doctor._unreachable(f"127.0.0.1:{free_port()},127.0.0.1:{listening.getsockname()[1]}", 9092)


@contextmanager
def worker_that_says(code: int, body: str) -> Iterator[int]:
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(code)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *arguments: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(("code", "status"), [(200, "ok"), (503, "fail")])
def test_the_worker_is_believed(nothing_runs: Settings, code: int, status: str) -> None:
    with worker_that_says(code, "community.messages.v1/0: no progress for 40 s") as port:
        settings = nothing_runs.model_copy(update={"worker": WorkerSettings(port=port)})
        check = next(iter(doctor.worker(settings)))
    assert status == check.status
    assert ("no progress for 40 s" in check.found) == (status == "fail")


@pytest.mark.parametrize(("free", "status"), [(100 << 20, "fail"), (1 << 30, "warn"), (50 << 30, "ok")])
def test_little_disk_space_warns_before_it_fails(
    nothing_runs: Settings, monkeypatch: pytest.MonkeyPatch, free: int, status: str
) -> None:
    monkeypatch.setattr(doctor, "free_bytes", lambda place: free)
    assert status == next(iter(doctor.disk(nothing_runs))).status


def test_a_table_the_engine_cannot_open_is_found(nothing_runs: Settings) -> None:
    metadata = nothing_runs.data_dir / "warehouse" / "metadata" / "community"
    metadata.mkdir(parents=True)
    (metadata / "queue.sql").write_text("ATTACH TABLE queue (x Int8) ENGINE = Kafka('broker')")
    check = next(iter(doctor.directory(nothing_runs)))
    assert ("fail", "stop the stack, then: streams doctor --repair") == (check.status, check.next)
    assert "ENGINE = Kafka" in check.found


def test_a_name_in_the_environment_that_sets_nothing_is_a_warning(
    nothing_runs: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAMS_BOOTSTRAP", "kafka:9092")
    check = next(iter(doctor.settings_check(nothing_runs)))
    assert ("warn", "STREAMS_BOOTSTRAP in the environment sets nothing") == (check.status, check.found)


def test_a_check_that_breaks_is_a_finding_and_not_the_end(
    nothing_runs: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(place: Path) -> int:
        raise PermissionError("no")

    monkeypatch.setattr(doctor, "free_bytes", broken)
    checks = by_name(examine(nothing_runs))
    assert ("fail", "the check itself failed: no") == (checks["disk"].status, checks["disk"].found)
    assert "worker" in checks


@pytest.mark.parametrize(
    ("statuses", "whole"), [((), "ok"), (("ok", "warn"), "warn"), (("warn", "fail", "ok"), "fail"), (("ok",), "ok")]
)
def test_the_whole_is_as_well_as_its_worst_part(statuses: tuple[doctor.Status, ...], whole: str) -> None:
    assert whole == worst([Check("x", status, "") for status in statuses])


def test_no_check_repeats_a_secret(nothing_runs: Settings) -> None:
    settings = nothing_runs.model_copy(
        update={"warehouse": WarehouseSettings(url=f"http://me:hunter2@127.0.0.1:{free_port()}")}
    )
    assert "hunter2" in str(to_environment(settings))
    assert "hunter2" not in repr(examine(settings))
