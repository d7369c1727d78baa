"""The topics the pipeline writes itself, beside those of the families."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class Internal:
    """A topic of the pipeline's own; `partitions` None means the number in the settings."""

    name: str
    suffix: str
    description: str
    retention: timedelta
    partitions: int | None = None

    def topic(self, prefix: str) -> str:
        """Name of the topic, with the prefix of the settings: `community.alerts.v1`."""
        return prefix + self.suffix


DEAD_LETTERS = Internal(
    "dead_letters",
    "dead_letters.v1",
    "Rejected records, key and value unchanged, with the reason and their origin in Kafka Connect's headers",
    timedelta(days=30),
    # Rejects are few, and `streams dlq` reads them in order.
    partitions=1,
)
INVALIDATIONS = Internal(
    "invalidations",
    "invalidations.v1",
    "Buckets that are no longer true, by community",
    # Longer than any outage of the rollup worker that we want to survive without a restate.
    timedelta(days=7),
)
ALERTS = Internal("alerts", "alerts.v1", "Alerts that fired or were resolved, by community", timedelta(days=90))

INTERNAL: tuple[Internal, ...] = (DEAD_LETTERS, INVALIDATIONS, ALERTS)
"""Every topic of the pipeline's own."""
