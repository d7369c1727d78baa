"""Publishing to a real broker: everything arrives as it was, and what does not arrive is told of."""

from __future__ import annotations

import gzip
import io
import json
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from streams.commands.publish import publish
from streams.kafka import admin, is_embedded, read_to_end
from streams.kafka_connection import TopicMissing
from streams.kafka_topics import apply_topics
from streams.publisher import DeliveryFailed, Publisher, RawProducer
from streams.settings import KafkaSettings
from streams.topics import ALL, Rejected
from streams.topics.decode import Decoder

pytestmark = pytest.mark.connected


@pytest.fixture
def kafka(broker, names: str) -> KafkaSettings:
    chosen = KafkaSettings(bootstrap=broker.bootstrap, topic_prefix=f"{names}.", partitions=3)
    apply_topics(chosen)
    return chosen


def message(n: int, **changes: Any) -> dict[str, Any]:
    return {
        "event_id": f"e{n}",
        "type": "message",
        "platform": "chat",
        "community_id": f"c{n % 3}",
        "member_id": f"m{n % 11}",
        "occurred_at": "2026-01-31T08:30:00Z",
        "text": f"number {n}",
    } | changes


def topics(kafka: KafkaSettings) -> list[str]:
    return [family.topic(kafka.topic_prefix) for family in ALL]


def published(kafka: KafkaSettings) -> list[dict[str, Any]]:
    return sorted((json.loads(r.value or b"") for r in read_to_end(kafka, topics(kafka))), key=lambda e: e["event_id"])


def test_events_arrive_once_under_their_key_with_a_members_in_order(kafka: KafkaSettings) -> None:
    with Publisher(kafka) as publisher:
        for n in range(2000):
            publisher.publish(message(n))

    records = list(read_to_end(kafka, [f"{kafka.topic_prefix}messages.v1"]))
    assert (2000, 0) == (publisher.published, publisher.failed)
    assert {f"e{n}" for n in range(2000)} == {json.loads(r.value or b"")["event_id"] for r in records}
    assert 2000 == len(records)
    by_key: dict[bytes | None, list[tuple[int, int]]] = {}
    for record in records:
        event = json.loads(record.value or b"")
        assert f"{event['community_id']}/{event['member_id']}".encode() == record.key
        by_key.setdefault(record.key, []).append((record.partition, int(event["event_id"][1:])))
    assert 33 == len(by_key)
    for arrived in by_key.values():
        assert 1 == len({partition for partition, _ in arrived})
        assert sorted(n for _, n in arrived) == [n for _, n in arrived]


def test_an_idempotent_publisher_delivers_everything_once(kafka: KafkaSettings) -> None:
    with Publisher(kafka.model_copy(update={"idempotence": True})) as publisher:
        for n in range(500):
            publisher.publish(message(n))

    assert 500 == publisher.published
    assert [f"e{n}" for n in range(500)] == sorted(
        (event["event_id"] for event in published(kafka)), key=lambda name: int(name[1:])
    )


def test_several_threads_may_share_a_publisher(kafka: KafkaSettings) -> None:
    with Publisher(kafka) as publisher:

        def work(start: int) -> None:
            for n in range(start, start + 500):
                publisher.publish(message(n))

        threads = [threading.Thread(target=work, args=(start,)) for start in (0, 500, 1000, 1500)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert 2000 == publisher.published
    assert 2000 == len({event["event_id"] for event in published(kafka)})


def test_a_rejected_event_is_not_sent_and_the_others_are(kafka: KafkaSettings) -> None:
    with Publisher(kafka) as publisher:
        publisher.publish(message(1))
        with pytest.raises(Rejected):
            publisher.publish(message(2, text=None))
        publisher.publish(message(3))

    assert ["e1", "e3"] == [event["event_id"] for event in published(kafka)]


def test_the_largest_event_that_is_allowed_arrives(kafka: KafkaSettings) -> None:
    """The broker's limit leaves room for key, headers and framing."""
    limit = 1 << 20
    event = message(1, filling="")
    filling = "".join(f"{n:x}" for n in range(limit))  # hardly compressible
    event["filling"] = filling[: limit - len(json.dumps(event, separators=(",", ":")))]

    with Publisher(kafka, compression=None, cloudevents=True) as publisher:
        publisher.publish(event)
        with pytest.raises(Rejected, match="too_large"):
            publisher.publish(event | {"event_id": "e12"})

    [record] = read_to_end(kafka, topics(kafka))
    assert limit == len(record.value or b"")


def test_cloudevents_are_read_back_as_the_event(kafka: KafkaSettings) -> None:
    with Publisher(kafka, cloudevents=True) as publisher:
        publisher.publish(message(1))

    [record] = read_to_end(kafka, topics(kafka))
    assert b"e1" == dict(record.headers)["ce_id"]
    [family] = [family for family in ALL if family.name == "message"]
    assert "number 1" == Decoder(family).decode(record.value, record.headers).text


def test_a_topic_that_was_never_created_is_named_and_not_made_up(kafka: KafkaSettings) -> None:
    elsewhere = kafka.model_copy(update={"topic_prefix": f"{kafka.topic_prefix}nowhere."})

    with Publisher(elsewhere) as publisher, pytest.raises(TopicMissing) as missing:
        publisher.publish(message(1))

    assert f"topic {elsewhere.topic_prefix}messages.v1 does not exist" == missing.value.what
    assert "streams topics apply" == missing.value.next
    assert [] == list(read_to_end(elsewhere, topics(elsewhere)))


def test_a_topic_created_later_is_found(kafka: KafkaSettings) -> None:
    elsewhere = kafka.model_copy(update={"topic_prefix": f"{kafka.topic_prefix}later."})
    with Publisher(elsewhere) as publisher:
        with pytest.raises(TopicMissing):
            publisher.publish(message(1))
        apply_topics(elsewhere)
        publisher.publish(message(1))

    assert ["e1"] == [event["event_id"] for event in published(elsewhere)]


def test_more_than_the_memory_bound_goes_through(kafka: KafkaSettings) -> None:
    topic = f"{kafka.topic_prefix}messages.v1"
    value = b"x" * 1_000_000
    with RawProducer(kafka) as producer:
        for _ in range(40):
            producer.send(topic, value, b"k")
            assert producer._waiting_bytes <= 32 << 20

    assert (40, 40, 0) == (producer.sent, producer.delivered, producer.failed)


@pytest.mark.apache_kafka
def test_records_the_broker_refuses_are_counted_and_named(kafka: KafkaSettings) -> None:
    with admin(kafka) as client:
        if is_embedded(client):
            pytest.skip("make test-kafka runs it: the embedded broker has no size limit")
    topic = f"{kafka.topic_prefix}messages.v1"
    producer = RawProducer(kafka, max_record_bytes=8 << 20, compression=None)
    producer.send(topic, b"x" * (4 << 20), b"large")
    producer.send(topic, b"small", b"small")

    with pytest.raises(DeliveryFailed) as failed:
        producer.close()

    assert (1, "large") == (failed.value.count, failed.value.first[0].key)
    assert (1, 1) == (producer.delivered, producer.failed)
    producer.close()


def run(kafka: KafkaSettings, arguments: list[str], data: bytes = b"") -> Any:
    app = typer.Typer()
    app.command()(publish)
    environment = {
        "STREAMS_KAFKA__BOOTSTRAP": kafka.bootstrap,
        "STREAMS_KAFKA__TOPIC_PREFIX": kafka.topic_prefix,
        "STREAMS_INGEST__MAX_RECORD_BYTES": "5000",
    }
    return CliRunner().invoke(app, arguments, input=data, env=environment)


LINES = b"\n".join(
    [
        json.dumps(message(1)).encode(),
        b"",
        b"{broken",
        json.dumps(message(2, amount=1)).encode(),
        json.dumps(message(3, occurred_at="yesterday")).encode(),
        b'{"type":"message","text":"\xff"}',
        b"   \r",
        json.dumps(message(4, text="x" * 100_000)).encode(),
        json.dumps(message(5)).encode() + b"\r",
        json.dumps(message(6)).encode(),
    ]
)
BROKEN = [LINES.split(b"\n")[n] for n in (2, 4, 5, 7)]


def test_a_file_is_published_and_its_broken_lines_are_told_of(kafka: KafkaSettings, tmp_path: Path) -> None:
    file, rejects = tmp_path / "events.ndjson", tmp_path / "broken.ndjson"
    file.write_bytes(LINES)

    result = run(kafka, [str(file), "--rejects", str(rejects)])

    assert 1 == result.exit_code
    assert result.stdout.startswith("4 events published, 4 lines rejected")
    reported = result.stderr.splitlines()
    assert ["line 3: invalid_json", "line 5: invalid_field", "line 6: invalid_utf8", "line 8: too_large"] == [
        ":".join(line.split(":")[:2]) for line in reported[:4]
    ]
    assert "occurred_at" in reported[1]
    assert {f"rejected as {r}: 1" for r in ("invalid_json", "invalid_field", "invalid_utf8", "too_large")} == set(
        reported[4:]
    )
    assert BROKEN == rejects.read_bytes().splitlines()
    assert ["e1", "e2", "e5", "e6"] == [event["event_id"] for event in published(kafka)]


@pytest.mark.parametrize("packed", [False, True])
def test_a_pipe_and_a_packed_file_are_read_alike(kafka: KafkaSettings, tmp_path: Path, packed: bool) -> None:
    good = b"\n".join(json.dumps(message(n)).encode() for n in range(7))
    if packed:
        file = tmp_path / "events.ndjson.gz"
        file.write_bytes(gzip.compress(good))
        result = run(kafka, [str(file), "--cloudevents"])
    else:
        result = run(kafka, ["-"], good)

    assert (0, "") == (result.exit_code, result.stderr)
    assert result.stdout.startswith("7 events published, 0 lines rejected")
    assert [f"e{n}" for n in range(7)] == [event["event_id"] for event in published(kafka)]


def test_a_rate_is_kept(kafka: KafkaSettings) -> None:
    good = b"\n".join(json.dumps(message(n)).encode() for n in range(60))

    result = run(kafka, ["-", "--rate", "100"], good)

    seconds = float(result.stdout.split(", ")[2].split(" s")[0])
    assert 0.5 <= seconds < 5


def test_a_dry_run_needs_no_broker() -> None:
    nobody = KafkaSettings(bootstrap="127.0.0.1:1")

    result = run(nobody, ["-", "--dry-run"], LINES)

    assert 1 == result.exit_code
    assert result.stdout.startswith("4 events are good, 4 lines rejected")


def test_nobody_listening_is_an_error_of_its_own() -> None:
    result = run(KafkaSettings(bootstrap="127.0.0.1:1"), ["-"], LINES)

    assert 3 == result.exception.code
    assert "cannot be reached" in result.exception.what


def test_a_damaged_archive_is_told_of_after_what_could_be_read(kafka: KafkaSettings, tmp_path: Path) -> None:
    file = tmp_path / "events.ndjson.gz"
    good = b"\n".join(json.dumps(message(n)).encode() for n in range(3000))
    file.write_bytes(gzip.compress(good)[:-2000])

    result = run(kafka, [str(file)])

    assert "the input cannot be unpacked after line" in str(result.exception)
    assert 100 < len(published(kafka)) < 3000


def test_a_line_of_many_megabytes_is_never_held_whole(tmp_path: Path) -> None:
    from streams.commands.publish import _read

    line = b"[" * (8 << 20)
    kept = io.BytesIO()
    stream = Watched(b"a\n" + line + b"\nb")

    lines = list(_read(stream, 1000, kept))

    assert [(1, b"a", False), (3, b"b", False)] == [tuple(each) for each in lines if not each.overlong]
    assert [(2, 1002)] == [(each.number, len(each.text)) for each in lines if each.overlong]
    assert line + b"\n" == kept.getvalue()
    assert stream.largest <= 1 << 20


class Watched(io.BytesIO):
    """Remembers the largest piece that was asked for."""

    largest = 0

    def readline(self, size: int | None = -1) -> bytes:  # type: ignore[override]
        self.largest = max(self.largest, sys.maxsize if size is None or size < 0 else size)
        return super().readline(size)
