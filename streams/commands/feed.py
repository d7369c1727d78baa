"""The feed of the demo: simulated platforms that publish a history as fast as they can, and then live."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from streams.communities.settings import CommunitySettings
    from streams.settings import Settings

HISTORY = timedelta(days=28)
MAX_LATENESS = timedelta(minutes=30)
DUPLICATES, LATE, BROKEN = 0.01, 0.01, 0.002


@dataclass(frozen=True)
class Plan:
    """What is simulated: `history` is about how many events of the last 28 days, `rate` the live events a second."""

    seed: int
    communities: int
    history: int
    rate: float

    def ids(self) -> list[str]:
        """Ids of the communities."""
        from streams.simulate import communities_of

        return [community.id for community in communities_of(self.communities)]

    def settings(self) -> CommunitySettings:
        """What the communities would have in their settings file: their zones and rituals."""
        from streams.communities.settings import WEEKDAYS, Community, CommunitySettings, Ritual
        from streams.simulate import communities_of

        return CommunitySettings(
            communities={
                each.id: Community(
                    zone=each.zone,
                    rituals={
                        ritual.name: Ritual(
                            every="week", weekdays=tuple(WEEKDAYS[day] for day in ritual.weekdays), at=ritual.hour * 60
                        )
                        for ritual in each.rituals
                    },
                )
                for each in communities_of(self.communities)
            }
        )


class Feed(threading.Thread):
    """Publishes until `finish`, faults included, and counts what it did; `error` is what stopped it early.

    `events` counts distinct valid events, `duplicates` valid ones that were sent again, `late` those sent behind their
    time, `broken` records that are no events. The first two add up to what the broker acknowledged. Once `live` is set,
    `history` is how many events came before.
    """

    def __init__(self, settings: Settings, plan: Plan, now: datetime) -> None:
        super().__init__(name="feed", daemon=True)
        self.events = self.duplicates = self.broken = self.acknowledged = self.history = 0
        self.live = threading.Event()
        self.error: BaseException | None = None
        self._settings = settings
        self.plan = plan
        self._now = now
        self._report: Counter[str] = Counter()
        self._finish = threading.Event()
        self._recent: set[tuple[str, str]] = set()
        self._older: set[tuple[str, str]] = set()
        self._turned = now - HISTORY

    @property
    def late(self) -> int:
        """Events that were sent behind their time, or are still held back for it."""
        return self._report["late"]

    def finish(self) -> None:
        """Stop publishing and wait until the broker has acknowledged everything."""
        self._finish.set()
        self.join()

    def abandon(self) -> None:
        """Stop publishing on the way out of an error: what is not delivered by now no longer matters."""
        self._finish.set()
        self.join(timeout=5.0)

    def run(self) -> None:
        """Publish; called by the thread."""
        try:
            self._publish()
        except BaseException as error:
            self.error = error

    def _publish(self) -> None:
        from streams.publisher import Publisher, RawProducer
        from streams.simulate import Broken, inject, simulate
        from streams.topics import by_name

        stream = inject(
            simulate(
                self.plan.seed,
                self.plan.communities,
                self._now - HISTORY,
                None,
                self.plan.history / HISTORY.total_seconds(),
                live_from=self._now,
                live_rate=self.plan.rate,
            ),
            self.plan.seed,
            duplicates=DUPLICATES,
            late=LATE,
            max_lateness=MAX_LATENESS,
            broken=BROKEN,
            report=self._report,
        )
        kafka = self._settings.kafka
        with Publisher(kafka) as publisher, RawProducer(kafka) as raw:
            for event in stream:
                if isinstance(event, Broken):
                    raw.send(by_name[event.family].topic(kafka.topic_prefix), event.value, event.key)
                    self.broken += 1
                    continue
                if not self._wait_for(event):
                    break
                publisher.publish(event)
                self._count(event)
            publisher.flush()
            self.acknowledged = publisher.published

    def _wait_for(self, event: dict[str, Any]) -> bool:
        """Hold an event of the future back until its time has come; False when we are to finish."""
        ahead = (datetime.fromisoformat(event["occurred_at"]) - datetime.now(UTC)).total_seconds()
        if ahead > 0:
            if not self.live.is_set():
                self.history = self.events
                self.live.set()
            return not self._finish.wait(ahead)
        return not self._finish.is_set()

    def _count(self, event: dict[str, Any]) -> None:
        at = datetime.fromisoformat(event["occurred_at"])
        if at - self._turned > MAX_LATENESS:
            # A second copy comes at most that much later: older ids need not be remembered, however long the demo runs.
            self._older, self._recent, self._turned = self._recent, set(), at
        key = (event["community_id"], event["event_id"])
        if key in self._recent or key in self._older:
            self.duplicates += 1
        else:
            self._recent.add(key)
            self.events += 1
