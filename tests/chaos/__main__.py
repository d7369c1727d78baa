"""`python -m tests.chaos`: as many kills over as many events as asked for, and a report."""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from chaos.campaign import Outcome, campaign
from chaos.deployment import Deployment, Lane
from chaos.report import report
from chaos.traffic import traffic


def main(arguments: list[str] | None = None) -> int:
    """0 when nothing was lost, double or different."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=1000, help="kill -9 of a worker (1000)")
    parser.add_argument("--events", type=int, default=1_000_000, help="distinct events (1000000)")
    parser.add_argument("--workers", type=int, default=1, help="workers of each pipeline, killed in turn (1)")
    parser.add_argument("--lanes", type=int, default=2, help="pipelines side by side, each with its share (2)")
    parser.add_argument("--seed", type=int, default=1, help="of the input and of the moments of the kills (1)")
    parser.add_argument("--broker", default="", metavar="HOST:PORT", help="a Kafka broker instead of the embedded one")
    parser.add_argument("--keep", action="store_true", help="keep the logs")
    chosen = parser.parse_args(arguments)

    with Deployment(chosen.broker, chosen.keep) as deployment:
        print(f"logs in {deployment.directory}" if chosen.keep else "starting", flush=True)

        def run(number: int) -> Outcome:
            seed = chosen.seed * 1000 + number
            with Lane(deployment, f"chaos{seed}") as lane:
                published = traffic(seed, chosen.events // chosen.lanes)
                return campaign(lane, published, chosen.kills // chosen.lanes, chosen.workers, settle_s=600)

        with ThreadPoolExecutor(chosen.lanes) as pool:
            outcomes = list(pool.map(run, range(chosen.lanes)))
    print(report(outcomes))
    return 0 if all(outcome.verdict.clean for outcome in outcomes) else 1


if __name__ == "__main__":
    raise SystemExit(main())
