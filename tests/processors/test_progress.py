"""Progress: watermarks that never go back, lateness by bands, partitions that stand still."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import Gauge

from streams import metrics
from streams.health import report, silences
from streams.metrics import REGISTRY
from streams.processors.progress import AGES, Progress

ONE, TWO = ("t.messages.v1", 0), ("t.messages.v1", 1)
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
START = 40 * DAY


def times(*ms: int) -> np.ndarray:
    return np.array(ms, np.int64)


def late() -> dict[str, int]:
    names = [name for name, _ in AGES] + ["older"]
    return {name: int(REGISTRY.get_sample_value("streams_late_events_total", {"age": name}) or 0) for name in names}


def observed(progress: Progress, *ms: int) -> dict[str, int]:
    """Events by band of lateness, of one observation."""
    before = late()
    progress.observe_events(ONE, times(*ms))
    return {name: count - before[name] for name, count in late().items() if count != before[name]}


@given(st.lists(st.lists(st.integers(0, 10**13), max_size=5), max_size=8))
def test_the_watermark_is_the_latest_event_less_the_disorder_and_never_goes_back(batches: list[list[int]]) -> None:
    progress = Progress(disorder_s=10)
    seen = [0]
    for batch in batches:
        progress.observe_events(ONE, times(*batch))
        seen += [ms - 10_000 for ms in batch]
        assert max(seen) == progress.position(ONE).watermark_ms


@pytest.mark.parametrize(
    ("behind_ms", "band"),
    [
        (1, "1m"),
        (MINUTE, "1m"),
        (MINUTE + 1, "1h"),
        (HOUR, "1h"),
        (HOUR + 1, "1d"),
        (DAY, "1d"),
        (DAY + 1, "30d"),
        (30 * DAY, "30d"),
        (30 * DAY + 1, "older"),
    ],
)
def test_late_events_are_counted_by_how_far_they_are_behind(behind_ms: int, band: str) -> None:
    progress = Progress(disorder_s=0)
    progress.observe_events(ONE, times(START))
    assert {band: 2} == observed(progress, START - behind_ms, START - behind_ms)


def test_events_at_the_watermark_or_within_the_disorder_are_not_late() -> None:
    progress = Progress(disorder_s=10)
    progress.observe_events(ONE, times(START))
    assert {} == observed(progress, START - 10_000, START - 1)
    assert {"1m": 1} == observed(progress, START - 10_001)


def test_the_first_events_of_a_partition_are_never_late() -> None:
    assert {} == observed(Progress(disorder_s=0), START, 1)


def test_disorder_within_one_batch_is_not_lateness() -> None:
    progress = Progress(disorder_s=0)
    assert {} == observed(progress, START, START - DAY)


def test_a_partition_is_stalled_when_it_lags_and_does_not_move() -> None:
    progress = Progress(disorder_s=0)
    progress.assign({ONE: 5, TWO: 5}, now=100)
    progress.ended(ONE, 25, now=100)
    progress.ended(TWO, 5, now=100)
    assert {} == progress.stalled(now=130, after_s=30)
    assert {ONE: "20 records behind and no progress for 31 s"} == progress.stalled(now=131, after_s=30)
    progress.stored(ONE, 6, now=131)
    assert {} == progress.stalled(now=161, after_s=30)


def test_a_partition_that_was_idle_for_long_is_not_stalled_by_its_next_record() -> None:
    progress = Progress(disorder_s=0)
    progress.assign({ONE: 5}, now=0)
    progress.ended(ONE, 6, now=1000)
    assert {} == progress.stalled(now=1001, after_s=30)
    # More records do not hide that nothing moves.
    progress.ended(ONE, 7, now=1020)
    assert [ONE] == list(progress.stalled(now=1031, after_s=30))


def test_a_new_assignment_forgets_partitions_that_left_and_keeps_watermarks_that_stay() -> None:
    progress = Progress(disorder_s=0)
    progress.observe_events(ONE, times(START))
    progress.stored(ONE, 7, now=1)
    progress.stored(TWO, 3, now=1)
    progress.position(ONE).stopped = "rejects"
    progress.assign({ONE: 7}, now=2)
    assert [ONE] == list(progress.positions)
    assert (START, 7, "") == (
        progress.position(ONE).watermark_ms,
        progress.position(ONE).next_offset,
        progress.position(ONE).stopped,
    )


def test_an_assignment_forgets_what_was_measured_of_partitions_that_left() -> None:
    def measured(gauge: Gauge) -> list[str]:
        return [sample.labels["topic"] for metric in gauge.collect() for sample in metric.samples]

    progress = Progress(disorder_s=0)
    metrics.LAG.labels("pipeline", *map(str, ONE)).set(7)
    metrics.WATERMARK.labels(*map(str, ONE)).set(7)
    progress.assign({TWO: None}, now=1)
    assert [[], []] == [measured(metrics.LAG), measured(metrics.WATERMARK)]


def test_progress_is_written_once_for_each_change() -> None:
    progress = Progress(disorder_s=10)
    progress.observe_events(ONE, times(START))
    progress.stored(ONE, 7, now=1)
    progress.ended(ONE, 9, now=1)
    assert [ONE] == (changed := progress.take_changed())
    assert [] == progress.take_changed()
    now = datetime(2024, 3, 10, tzinfo=UTC)
    assert [
        {
            "topic": ONE[0],
            "partition": 0,
            "watermark": datetime.fromtimestamp(START // 1000 - 10, UTC),
            "offset": 7,
            "lag": 2,
            "updated_at": now,
        }
    ] == progress.table(changed, now).to_pylist()


def test_health_is_progress() -> None:
    progress = Progress(disorder_s=0)
    progress.assign({ONE: 5, TWO: 5}, now=0)
    progress.ended(ONE, 25, now=0)
    assert (200, True, 20) == healthy(progress, now=30)
    progress.position(TWO).heard(30_000, now=30)
    status, body = report(progress, 31, 30, {"ready": True})
    why = "20 records behind and no progress for 31 s"
    assert (503, False, [{"topic": ONE[0], "partition": 0, "why": why}]) == (status, body["healthy"], body["problems"])


def test_a_stopped_partition_is_not_healthy_even_without_lag() -> None:
    progress = Progress(disorder_s=0)
    progress.assign({ONE: 5}, now=0)
    progress.position(ONE).stopped = "stopped: rejects"
    status, body = report(progress, 1, 30, {"ready": True})
    assert (503, ["stopped: rejects"]) == (status, [problem["why"] for problem in body["problems"]])


def test_a_broker_that_says_nothing_of_what_was_read_to_its_end_is_not_healthy() -> None:
    progress = Progress(disorder_s=0)
    progress.assign({ONE: 5, TWO: 5}, now=100)
    for now in range(101, 110):
        progress.position(ONE).heard(7_000, now)
        progress.position(TWO).heard(1000 * now, now)
    assert {} == silences(progress, now=131, after_s=30)
    assert {ONE: 31.0} == silences(progress, now=132, after_s=30)
    assert {ONE: 41.0, TWO: 33.0} == silences(progress, now=142, after_s=30)
    status, body = report(progress, 142, 30, {"ready": True, "broker": "broker.example:9092"})
    why = "the broker at broker.example:9092 has said nothing of 2 of 2 partitions for 41 s"
    assert (503, False, [{"why": why}]) == (status, body["healthy"], body["problems"])
    progress.position(ONE).heard(150_000, now=150)
    progress.position(TWO).heard(150_000, now=150)
    assert (200, True, 0) == healthy(progress, now=180)


def test_the_broker_is_not_blamed_for_what_is_not_asked_of_it() -> None:
    """Records that were fetched wait to be taken, as in an outage of the warehouse; a partition is new, or not ours."""
    progress = Progress(disorder_s=0)
    progress.assign({ONE: 5}, now=100)
    progress.ended(ONE, 6, now=100)
    progress.position(TWO)
    assert {} == silences(progress, now=200, after_s=30)
    progress.assign({ONE: 6}, now=200)
    assert {} == silences(progress, now=230, after_s=30)
    assert {ONE: 31.0} == silences(progress, now=231, after_s=30)


def test_a_worker_without_an_assignment_is_not_healthy_and_says_what_it_waits_for() -> None:
    status, body = report(Progress(disorder_s=0), 1, 30, {"ready": False, "group": "g"})
    assert (503, False, "g") == (status, body["healthy"], body["group"])
    assert "waiting for the broker" in body["problems"][0]["why"]


def healthy(progress: Progress, now: float) -> tuple[int, bool, int]:
    status, body = report(progress, now, 30, {"ready": True})
    return status, body["healthy"], body["lag"]
