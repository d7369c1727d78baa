"""Simulated and replayed events on a real broker: every record arrives, broken ones byte for byte."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
import typer
from typer.testing import CliRunner

from streams.commands.replay import replay
from streams.commands.simulate import sink
from streams.kafka import read_to_end
from streams.kafka_topics import apply_topics
from streams.simulate import Broken, inject, simulate
from streams.topics import ALL, by_name

pytestmark = pytest.mark.connected

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)


def everything(settings) -> Counter:
    topics = [family.topic(settings.kafka.topic_prefix) for family in ALL]
    return Counter((record.topic, record.key, record.value) for record in read_to_end(settings.kafka, topics))


def test_every_simulated_record_arrives_in_the_topic_of_its_family(settings):
    apply_topics(settings.kafka)
    simulated = simulate(1, 3, MONDAY, MONDAY + timedelta(days=1), 0.02)
    records = list(inject(simulated, 1, duplicates=0.05, late=0.05, broken=0.05))
    with sink(settings, None) as send:
        for record in records:
            send(record)
    expected: Counter = Counter()
    for record in records:
        if isinstance(record, Broken):
            family, key, value = record.family, record.key, record.value
        else:
            family, key = record["type"], f"{record['community_id']}/{record['member_id']}".encode()
            value = json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()
        expected[by_name[family].topic(settings.kafka.topic_prefix), key, value] += 1
    assert expected == everything(settings)


def test_a_replay_publishes_a_trace_oldest_first(settings, tmp_path, monkeypatch):
    apply_topics(settings.kafka)
    (tmp_path / "orders_cdnow").mkdir()
    with gzip.open(tmp_path / "orders_cdnow" / "transactions.csv.gz", "wt") as file:
        file.write("customer,date,cds,dollars\n1,19970112,1,11.77\n1,19970101,2,12.0\n")
    monkeypatch.setattr("streams.commands.replay.settings_of", lambda ctx: settings)
    app = typer.Typer()
    app.command()(replay)
    result = CliRunner().invoke(app, ["orders_cdnow", "--data", str(tmp_path)], catch_exceptions=False)
    assert result.stdout.startswith("orders_cdnow: 2 events published")
    amounts = [json.loads(value)["amount"] for _, _, value in everything(settings)]
    assert ["12.00", "11.77"] == amounts
