"""Settings of communities on a running stack: a watched file and `streams communities apply` move days of members."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from streams.clickhouse import Warehouse
from streams.config import to_environment
from streams.embedded.stack import Stack
from streams.publisher import Publisher
from streams.settings import (
    CommunitiesSettings,
    KafkaSettings,
    RollupSettings,
    Settings,
    WarehouseSettings,
    WorkerSettings,
)

pytestmark = pytest.mark.connected

PATIENCE_S = 90.0


def settings_in(place: Path) -> Settings:
    return Settings(
        data_dir=place / "data",
        kafka=KafkaSettings(bootstrap="127.0.0.1:0", session_timeout_s=4),
        warehouse=WarehouseSettings(url="http://127.0.0.1:0"),
        worker=WorkerSettings(port=0),
        rollup=RollupSettings(day_s=0.5, hour_s=0.5),
        communities=CommunitiesSettings(file=place / "communities.yml", poll_s=0.3),
    )


def test_days_follow_the_watched_file_and_the_command(tmp_path: Path) -> None:
    evening = datetime(2024, 3, 9, 18, 15, tzinfo=UTC)
    event = {"event_id": "1", "type": "message", "platform": "chat", "community_id": "tea", "member_id": "ann"}
    with Stack(settings_in(tmp_path)) as stack:
        warehouse = Warehouse(stack.settings.warehouse)

        def await_day(day: str) -> None:
            deadline = time.monotonic() + PATIENCE_S
            while (days := warehouse.rows("SELECT toString(day) FROM {db}.member_activity")) != [(day,)]:
                assert time.monotonic() < deadline, f"{day} expected, found {days}"
                stack.check()
                time.sleep(0.2)

        with Publisher(stack.settings.kafka) as publisher:
            publisher.publish({**event, "occurred_at": evening.isoformat(), "text": "late"})
        await_day("2024-03-09")
        (tmp_path / "communities.yml").write_text("communities: {tea: {zone: Asia/Shanghai}}")
        await_day("2024-03-10")

        other = tmp_path / "other.yml"
        other.write_text("communities: {tea: {zone: America/New_York}}")
        command = [sys.executable, "-m", "streams", "communities", "apply", str(other)]
        done = subprocess.run(
            command, env=os.environ | to_environment(stack.settings), capture_output=True, text=True, timeout=60
        )
        assert (0, "tea: zone\napplied; numbers of 1 communities are being computed anew\n") == (
            done.returncode,
            done.stdout,
        ), done.stderr
        await_day("2024-03-09")
        warehouse.close()
