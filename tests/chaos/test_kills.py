"""40 real kill -9 of a worker at random moments over 40,000 events: nothing lost, nothing double, no drift."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from .campaign import DELAY_MS, Outcome, campaign
from .deployment import Deployment, Lane
from .report import report
from .traffic import traffic

pytestmark = [pytest.mark.connected, pytest.mark.chaos]

EVENTS = 20_000
KILLS = 20
BLOCKS = {"ingest__max_rows": 400, "ingest__linger_s": 0.1}
"""A wave of events in a few blocks: the kills fall among their steps all the same."""
LANES = {"alone": (11, 1), "pair": (12, 2)}
"""Lane -> seed, and workers that are killed in turn, so that partitions move at each kill."""


@pytest.fixture(scope="module")
def outcomes(deployment: Deployment) -> list[Outcome]:
    def run(name: str) -> Outcome:
        seed, workers = LANES[name]
        with Lane(deployment, name, **BLOCKS) as lane:
            return campaign(lane, traffic(seed, EVENTS), KILLS, workers)

    with ThreadPoolExecutor(len(LANES)) as pool:
        return list(pool.map(run, LANES))


def test_forty_kills_over_forty_thousand_events_lose_nothing_and_count_nothing_twice(outcomes, capsys):
    said = report(outcomes)
    with capsys.disabled():
        print(f"\n{said}")
    assert all(outcome.verdict.clean for outcome in outcomes), said
    assert len(LANES) * EVENTS == sum(outcome.verdict.facts for outcome in outcomes)


def test_the_kills_were_real_and_fell_at_many_places(outcomes):
    kills = [kill for outcome in outcomes for kill in outcome.kills]
    assert len(LANES) * KILLS == len(kills)
    assert all(DELAY_MS[0] <= kill.delay_ms <= DELAY_MS[1] for kill in kills)
    places = {(slot, step) for kill in kills for slot, step in kill.now.items() if step != "starting"}
    assert {"write", "rollup", "commit"} <= {slot for slot, _ in places}, report(outcomes)
    assert len(places) >= 8, report(outcomes)


def test_the_input_held_every_fault_it_was_to_hold(outcomes):
    for outcome in outcomes:
        published = outcome.published
        shares = [len(published.poison), published.duplicates, published.late, published.moved]
        assert [0.01, 0.05, 0.05, 0.01] == [pytest.approx(count / EVENTS, rel=0.3) for count in shares]


def test_a_worker_needs_little_memory(outcomes):
    assert max(outcome.peak_rss for outcome in outcomes) < 1 << 30
