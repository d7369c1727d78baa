"""Months of made-up communities: everything a metric asks about happens in them, on its borders; all from a seed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, NamedTuple

from oracle import Event

BASE = datetime(2024, 1, 29, tzinfo=UTC)
"""A Monday; New York changes its clocks six weeks later."""

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
LONG = 231
"""Days of the longest life, 33 weeks: months enough for an index that begins with the sixth."""

MEMBERS = ("ann", "bo", "cy", "di", "曹")
CLOCKS = [timedelta(hours=h, minutes=m, milliseconds=ms) for h, m, ms in (
    (0, 0, 0), (23, 59, 59_999), (2, 59, 59_999), (3, 0, 0), (4, 30, 0), (5, 0, 0), (12, 0, 0), (12, 0, 1), (16, 0, 0),
    (18, 29, 59_999), (18, 30, 0),
)]  # fmt: skip
"""Where days, hours of grace and local days begin and end."""

TEXTS = (
    *("slow days", "慢一点?", "hand made cups", "I need help", "how to fire it", "thanks!", "谢谢", "hello", "早"),
    *("so slow, thanks", "I am stuck, anyone?", "see http://x.example/?q=1"),
)


class Life(NamedTuple):
    """Events of some communities, their settings as a file holds them, the watermark, and moments to be asked about."""

    events: list[Event]
    settings: dict[str, dict[str, Any]]
    end: datetime
    moments: list[datetime]


class Told:
    """One community's events so far; what is told next may answer them."""

    def __init__(self, community: str, chance: Random) -> None:
        self.community, self.chance = community, chance
        self.events: list[Event] = []
        self.taken: set[datetime] = set()

    def add(self, family: str, member: str, at: datetime, **rest: Any) -> Event:
        """Tell an event; a message after those of the same instant, which would be taken for one by whom they thank."""
        while family == "message" and at in self.taken:
            at += timedelta(seconds=61)
        if family == "message":
            self.taken.add(at)
        room = self.chance.choice(["", "lobby", "hall"])
        event = {
            "event_id": f"e{len(self.events)}",
            "type": family,
            "platform": self.chance.choice(["wechat", "wechat", "shop"]),
            "community_id": self.community,
            "member_id": member,
            "occurred_at": at.isoformat(timespec="milliseconds"),
            **({"text": self.chance.choice(TEXTS), "conversation_id": room} if family == "message" else {}),
            **rest,
        }
        self.events.append(event)
        return event

    def some(self) -> Event:
        """An event that was told before; there is one at least."""
        return self.chance.choice(self.events)

    def clock(self) -> timedelta:
        return self.chance.choice(CLOCKS)


def spell(told: Told, start: datetime) -> None:
    """A member acts every so many days for a while, then is silent for just as long as something ends by."""
    chance, day = told.chance, 0
    member, every, clock = chance.choice(MEMBERS), chance.choice([1, 1, 2, 3]), told.clock()
    family = chance.choice(["message", "message", "review", "reaction", "membership"])
    for _ in range(chance.randint(1, 3)):
        for _ in range(chance.randint(1, 14)):
            for _ in range(chance.choice([1, 1, 1, 2])):
                act(told, family, member, start + day * DAY + clock)
            day += every
        day += chance.choice([0, 1, 2, 6, 7, 8, 13, 14, 27, 28, 29, 30])


def act(told: Told, family: str, member: str, at: datetime) -> None:
    """One event of a family, with what the family says."""
    chance = told.chance
    more: dict[str, Any] = {}
    if family == "review":
        more = {"product_id": "cup", "rating": 4}
    elif family == "reaction":
        more = {"target_id": told.some()["event_id"] if told.events else "e0", "reaction": "👍"}
        more["action"] = chance.choice(["add", "add", "remove"])
    elif family == "membership":
        more = {"action": chance.choice(["join", "join", "leave", "invite"])}
        more |= {"role": chance.choice(["", "host", "member"]), "stage": chance.choice(["", "new"])}
    told.add(family, member, at, **more)


def talk(told: Told, start: datetime) -> None:
    """Questions, and answers after a second, a day or more; mentions and reactions; now and then by a bot."""
    chance = told.chance
    # All on one day, on some, or where a month ends.
    helpful = chance.random() < 0.4  # every question is answered
    spread, turn = chance.choice([1, 30, 30]), start.replace(day=1) - DAY
    for _ in range(chance.randint(2, 14)):
        at = chance.choice([start, start, turn]) + chance.randrange(spread) * DAY + told.clock()
        kind = {"actor_kind": "bot"} if chance.random() < 0.1 else {}
        asked = told.add("message", chance.choice(MEMBERS), at, **kind)
        if helpful:
            other = chance.choice([member for member in MEMBERS if member != asked["member_id"]])
            told.add("message", other, at + chance.randrange(1, 90_000) * SECOND, reply_to=asked["event_id"])
        for _ in range(chance.choice([0, 1, 1, 2])):
            after = chance.choice([timedelta(seconds=-1), timedelta(milliseconds=1), timedelta(hours=3)] + [
                timedelta(days=n, milliseconds=ms) for n in (1, 13, 14, 20, 60) for ms in (-1, 0, 1)
            ])  # fmt: skip
            named = chance.choice([asked["event_id"]] * 4 + [told.some()["event_id"], "never"])
            people = chance.choices([*MEMBERS, "nobody"], k=chance.choice([0, 0, 1, 2]))
            mentions = {"mentions": people} if people else {}
            told.add("message", chance.choice(MEMBERS), at + after, reply_to=named, **mentions)


def meet(told: Told, start: datetime) -> None:
    """Some come together every day, week or month at one hour, more or less often; they check in to it, or talk."""
    chance = told.chance
    step = chance.choice([1, 7, 7, 7, 28])
    ritual, kept, hour = chance.choice(["reading", "walk", ""]), chance.choice([0.5, 0.8, 1.0]), chance.randrange(24)
    begins = chance.choice([0, 28])  # with a midnight of India amid those who come
    lasts = chance.choice([1, 1, 2])
    people = [*MEMBERS, "eve", "fay"][: chance.randint(2, 7)]
    for n in range(chance.choice([3, 6, 12]) if step > 1 else chance.choice([5, 20])):
        for minute, member in enumerate(people):
            for hours in [n for n in range(lasts) if chance.random() < kept]:
                at = start + n * step * DAY + timedelta(hours=hour + hours, minutes=begins + minute)
                if ritual:
                    told.add("check_in", member, at, ritual=ritual, place=chance.choice(["", "kiln"]))
                else:
                    told.add("message", member, at)


def give(told: Told, start: datetime) -> None:
    """Someone writes 19, 20 or 21 messages, and is not heard of for about as long as makes it a risk."""
    member, gap = told.chance.choice(MEMBERS), told.chance.choice([0, 1, 4])
    for number in range(told.chance.choice([19, 20, 21])):
        told.add("message", member, start + number * gap * DAY + told.clock())


def mean_it(told: Told, start: datetime) -> None:
    """Someone speaks of a value and acts on it: in the same instant, at the end of 28 days, or out of them."""
    chance = told.chance
    member, spoke = chance.choice(MEMBERS), start + told.clock()
    for after in chance.sample(
        [timedelta(0), timedelta(milliseconds=-1), timedelta(milliseconds=1), timedelta(days=28)], 2
    ):
        told.add("check_in", member, spoke + after, ritual="reading")
    told.add("check_in", member, spoke + timedelta(days=28, milliseconds=chance.choice([0, 1])), place="kiln")
    told.add("message", member, spoke, text="slow, and hand made")


def buy(told: Told, start: datetime) -> None:
    """Orders, of one kind or the other, that go on, are called off, or are bought together."""
    chance = told.chance
    for number in range(chance.randint(1, 6)):
        order = {
            "order_id": f"o{number // 2}",
            "amount": "1",
            "currency": "CNY",
            "product_id": chance.choice(["cup", "pot"]),
        }
        order |= {"kind": chance.choice(["standard", "group_buy"])}
        order |= {"status": chance.choice(["placed", "paid", "fulfilled", "cancelled"])}
        told.add("order", chance.choice(MEMBERS), start + chance.randrange(40) * DAY + told.clock(), **order)


def correct(told: Told, start: datetime) -> None:
    """Accounts are linked or no more, members flagged, events hidden, shown again or erased."""
    chance = told.chance
    for _ in range(chance.randint(1, 3)):
        at, by = start + told.clock(), chance.choice(MEMBERS)
        if chance.random() < 0.5:
            link = {"action": chance.choice(["link", "link", "unlink"])}
            link |= {"linked_platform": chance.choice(["wechat", "shop"]), "linked_account_id": chance.choice(MEMBERS)}
            told.add("identity", by, at, **link)
        else:
            said = chance.choice([
                {"action": "hide", "target_id": told.some()["event_id"] if told.events else "e0"},
                {"action": "restore", "target_id": told.some()["event_id"] if told.events else "e0"},
                {"action": "erase", "target_id": told.some()["event_id"] if told.events else "e0"},
                {"action": "hide", "target_member_id": chance.choice(MEMBERS)},
                {"action": "flag", "target_member_id": chance.choice(MEMBERS), "flagged_kind": "bot"},
                    {"action": "flag", "target_member_id": chance.choice(MEMBERS), "flagged_kind": "human"},
            ])  # fmt: skip
            told.add("moderation", by, at, **said, **chance.choice([{}, {"actor_kind": "staff"}]))


PARTS: tuple[Callable[[Told, datetime], None], ...] = (
    spell,
    spell,
    talk,
    talk,
    meet,
    meet,
    give,
    mean_it,
    buy,
    correct,
)

ZONES = [None, "UTC", "America/New_York", "Asia/Shanghai", "Asia/Kolkata"]
LADDERS: list[list[dict[str, Any]] | None] = [
    None,
    None,
    [
        {"level": "guest", "weight": 0, "window_days": 7, "grace_days": 30},
        {"level": "friend", "weight": 2, "window_days": 10, "min_active_days": 2, "grace_days": 0},
        {"level": "kin", "weight": 3, "window_days": 20, "min_hosted_or_cocreated": 1, "grace_days": 3},
    ],
]
RITUALS: list[dict[str, Any]] = [
    {},
    {"reading": {"every": "week", "weekdays": ["monday", "thursday"], "at": "07:00", "host_id": "ann"}},
    {
        "walk": {"every": "day", "at": "18:00", "duration_minutes": 400, "conversation_id": "hall", "host_id": "bo"},
        "reading": {"every": "month", "month_day": 28, "at": "20:00"},
    },
    {
        "reading": {
            "every": "week",
            "weekdays": ["monday", "tuesday", "friday"],
            "at": "09:00",
            "duration_minutes": 300,
            "conversation_id": "hall",
            "host_id": "cy",
        }
    },
]
VALUES: list[dict[str, Any]] = [
    {},
    {
        "slowness": {"terms": ["slow", "慢"], "acts": {"rituals": ["reading"]}},
        "craft": {"terms": ["hand made"], "acts": {"products": ["cup"], "places": ["kiln"]}},
    },
]


def settings_of_a_community(chance: Random) -> dict[str, Any]:
    """What it sets; an absent name says nothing."""
    said = {
        "zone": chance.choice(ZONES),
        "since": chance.choice([None, None, "2024-01-15"]),
        "ladder": chance.choice(LADDERS),
        "rituals": chance.choice(RITUALS),
        "values": chance.choice(VALUES),
        "streaks": chance.choice([None, {"grace_hours": 0, "freeze_days": 2}, {"freeze_days": 0}]),
        "holidays": {str(BASE.date() + n * DAY): "a day off" for n in chance.sample(range(60), chance.randrange(6))},
    }
    return {name: value for name, value in said.items() if value}


def life(seed: int, communities: int) -> Life:
    """Some communities side by side: short and long ones, with more or less of everything."""
    chance = Random(seed)
    events: list[Event] = []
    said: dict[str, dict[str, Any]] = {}
    end = BASE + (LONG + chance.choice([-21, 0, 0, 6, 7])) * DAY + chance.choice(CLOCKS)
    for number in range(communities):
        told = Told(f"c{number}", chance)
        length = chance.choice([20, 90, LONG])
        for _ in range(chance.randint(2, 10)):
            part = chance.choice(PARTS)
            part(told, BASE + chance.randrange(length) * DAY)
        # Newcomers of whom the days in which they may meet somebody are just over, or not.
        day = end.replace(hour=0, minute=0, second=0, microsecond=0) - chance.randrange(14, 23) * DAY
        told.add("message", "newcomer", day + told.clock(), mentions=["ann"])
        # What would have happened later has not.
        events += [event for event in told.events if datetime.fromisoformat(event["occurred_at"]) <= end]
        if own := settings_of_a_community(chance):
            said[told.community] = own
    return Life(events, said, end.replace(microsecond=0), moments(events, chance))


def moments(events: list[Event], chance: Random) -> list[datetime]:
    """When something is just over: a day in which to answer, the first 14 days of a newcomer, a month of silence."""
    asked = [event for event in events if event["type"] == "message" and "reply_to" not in event]
    named = [event for event in events if event.get("mentions")]
    first = min(events, key=lambda event: event["occurred_at"])
    chosen = [
        (chance.choice(events), chance.choice([29, 30, 31, 90])),
        (chance.choice(asked), 1),
        (min(chance.sample(named, 3), key=lambda event: event["occurred_at"]), 0),
        (first, 14),
    ]
    return [
        (datetime.fromisoformat(event["occurred_at"]) + days * DAY).replace(microsecond=0)
        for event, days in chance.sample(chosen, 2)
    ]


def in_world(life: Life, world: str) -> Life:
    """The same life, its communities in a world of their own."""
    return Life(
        [event | {"community_id": world + event["community_id"]} for event in life.events],
        {world + community: own for community, own in life.settings.items()},
        life.end,
        life.moments,
    )
