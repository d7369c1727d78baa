"""The merged stream of all simulated communities, in order of event time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from operator import itemgetter

from streams.simulate.communities import Community, communities_of
from streams.simulate.life import EPOCH, Event, Life

SLOTS_MS = (600_000, 60_000, 10_000, 1_000)
FOREVER = 1 << 62
SLOT_EVENTS = 5_000  # of all communities together, aimed at: it bounds what is held in memory
PENDING_EVENTS = 100_000  # scheduled, of all communities together; past it nothing new is scheduled


def simulate(
    seed: int,
    communities: int | Sequence[Community],
    start: datetime,
    end: datetime | None,
    rate: float = 0.5,
    *,
    live_from: datetime | None = None,
    live_rate: float | None = None,
) -> Iterator[Event]:
    """Events of simulated communities as contract dicts, in order of `occurred_at`.

    `communities` is a number (of the presets; past them they repeat with numbered ids) or the communities themselves.
    `rate` is the mean number of events per second of event time over all communities together, before growth and
    decline; days and weeks follow the rhythm of each community's zone. `end` None goes on for ever. From `live_from` on
    the rate is `live_rate` at all hours, for a demonstration that goes on in real time.

    Equal arguments give equal events, ids included, in any process; a later `end` only adds events behind. Other
    arguments give other ids. Memory is bounded by about a slot of events, the scheduled ones (see
    PENDING_EVENTS) and the ids of members. Raises ValueError for times without a zone or a rate that is not positive.
    """
    for time in (start, end, live_from):
        if time is not None and time.tzinfo is None:
            raise ValueError(f"{time} has no zone")
    if rate <= 0 or (live_rate is not None and live_rate <= 0):
        raise ValueError("the rate must be positive")
    chosen = communities_of(communities) if isinstance(communities, int) else tuple(communities)
    if not chosen:
        raise ValueError("there must be at least one community")
    start_ms, end_ms, live_ms = _ms(start), _ms(end), _ms(live_from)
    # Everything that events depend on, but the end.
    arguments = repr((seed, chosen, start_ms, float(rate), live_ms, live_rate))
    identity = blake2b(arguments.encode(), digest_size=16).hexdigest()
    lives = [Life(community, identity, start_ms, max(100, PENDING_EVENTS // len(chosen))) for community in chosen]
    return _phases(lives, start_ms, end_ms, live_ms, rate, live_rate or rate)


def _phases(
    lives: Sequence[Life], start_ms: int, end_ms: int, live_ms: int, rate: float, live_rate: float
) -> Iterator[Event]:
    yield from _slots(lives, start_ms, live_ms, end_ms, rate, rhythm=True)
    if live_ms < end_ms:
        yield from _slots(lives, max(start_ms, live_ms), FOREVER, end_ms, live_rate, rhythm=False)


def _slots(lives: Sequence[Life], at: int, until: int, end_ms: int, rate: float, *, rhythm: bool) -> Iterator[Event]:
    """Slots from `at` on. The last before `until` is cut short; the last before `end_ms` is drawn whole and cut after,
    so that a later end draws the same numbers.
    """
    shares = sum(life.community.share for life in lives)
    length = next((slot for slot in SLOTS_MS if rate * slot / 1000 <= SLOT_EVENTS), SLOTS_MS[-1])
    while at < until and at < end_ms:
        this = min(length, until - at)
        slot: list[tuple[int, Event]] = []
        for life in lives:
            slot += life.slot(at, this, rate * this / 1000 * life.community.share / shares, rhythm)
        slot.sort(key=itemgetter(0))  # runs of sorted events: a merge
        if at + this > end_ms:
            slot = [entry for entry in slot if entry[0] < end_ms]
        for entry in slot:
            yield entry[1]
        at += this


def _ms(time: datetime | None) -> int:
    return FOREVER if time is None else (time.astimezone(UTC) - EPOCH) // timedelta(milliseconds=1)
