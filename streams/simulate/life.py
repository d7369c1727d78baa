"""The life of one simulated community: what its members do, slot of time after slot of time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import cache
from hashlib import blake2b
from heapq import heappop, heappush
from math import exp, sqrt
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from streams.simulate.communities import Community, daily_weights, weekly_weights
from streams.simulate.topic import Product, phrases

Event = dict[str, Any]

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000  # in milliseconds
WEEK = 7 * DAY
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# What a member's own act is, in thousandths. What follows from acts (steps of orders, reviews, turns of a conversation,
# answers to invitations, rituals) comes on top; EXTRA is its measured share, which is taken off the rate.
ACTS = {"message": 640, "react": 270, "check_in": 40, "order": 17, "join": 12, "invite": 8, "leave": 5, "link": 4}
EXTRA = 0.10
RECENT = 256  # messages that can be answered or reacted to
REACTIONS = ("👍", "👍", "👍", "❤️", "❤️", "😂", "🎉", "🙏", "🔥", "👀")
TURNOUT = 0.15  # share of the members at a ritual, at the most


@cache
def seconds() -> tuple[str, ...]:
    """The end of a time text for each millisecond of a minute: "00.000Z" ... "59.999Z"."""
    return tuple(f"{ms // 1000:02}.{ms % 1000:03}Z" for ms in range(MINUTE))


class Life:
    """State of one community; `slot` moves it on. Everything follows from the seed and the slots asked for."""

    def __init__(self, community: Community, seed: str, start_ms: int, max_pending: int) -> None:
        self.community = community
        self.max_pending = max_pending
        self.start_ms = start_ms
        self.zone = ZoneInfo(community.zone)
        self.daily, self.weekly = daily_weights(community), weekly_weights(community)
        self.rng = Random(f"{seed}/{community.id}")
        self.random = self.rng.random
        # Runs that differ in anything must not share ids; runs that differ in their end only must.
        self.prefix = blake2b(f"{seed}/{community.id}".encode(), digest_size=5).hexdigest() + "-"
        self.count = 0
        self.members = [f"u{i}" for i in range(community.members)]
        self.newest = community.members
        self.linked: set[str] = set()
        self.pending: list[tuple[int, int, Event]] = []
        self.recent: list[tuple[str, str, str]] = []  # event_id, member, conversation
        self.rituals: dict[str, date] = {}
        self.minute, self.minute_text = -1, ""
        self.seconds = seconds()
        topic = community.topic
        fill = topic.things, topic.language
        self.chat, self.questions = phrases(topic.chat, *fill), phrases(topic.questions, *fill)
        self.answers, self.needs = phrases(topic.answers, *fill), phrases(topic.needs, *fill)
        acts: dict[str, Callable[[int], Event]] = {
            "message": self.message,
            "react": self.react,
            "check_in": self.check_in,
            "order": self.order,
            "join": self.join,
            "invite": self.invite,
            "leave": self.leave,
            "link": self.link,
        }
        self.acts = [acts[name] for name, weight in ACTS.items() for _ in range(weight)]
        self.acts += [self.bot_notice] * 3 + [self.moderate] * (1000 - len(self.acts) - 3)

    def slot(self, start_ms: int, length_ms: int, expected: float, rhythm: bool) -> list[tuple[int, Event]]:
        """Events of [start, start + length) as (ms, contract dict) in order of time.

        `expected` is the mean number of events before rhythm and growth.
        """
        local = datetime.fromtimestamp(start_ms / 1000, self.zone)
        if rhythm:
            part = local.minute / 60
            hour = self.daily[local.hour] * (1 - part) + self.daily[(local.hour + 1) % 24] * part
            expected *= hour * self.weekly[local.weekday()] * self.size(start_ms)
        for ritual in self.community.rituals:
            if local.hour == ritual.hour and local.weekday() in ritual.weekdays:
                today = local.date()
                if self.rituals.get(ritual.name) != today:
                    self.rituals[ritual.name] = today
                    self.gather(start_ms, ritual.name, ritual.place, ritual.mode, expected * HOUR / length_ms)
        random, pending, acts = self.random, self.pending, self.acts
        times = sorted([start_ms + int(random() * length_ms) for _ in range(poisson(self.rng, expected * (1 - EXTRA)))])
        events: list[tuple[int, Event]] = []
        for ms in times:
            while pending and pending[0][0] <= ms:
                self.release(events)
            events.append((ms, acts[int(random() * 1000)](ms)))
        while pending and pending[0][0] < start_ms + length_ms:
            self.release(events)
        return events

    def size(self, ms: int) -> float:
        """Activity relative to the start: grows or declines by the week, between a tenth and four times."""
        weeks = (ms - self.start_ms) / WEEK
        return min(4.0, max(0.1, float(self.community.weekly_growth**weeks)))

    def release(self, events: list[tuple[int, Event]]) -> None:
        """The next scheduled event happens."""
        ms, _, event = heappop(self.pending)
        if event["type"] == "message":
            self.remember(event["event_id"], event["member_id"], event["conversation_id"])
        elif event.get("action") == "join":
            self.members.append(event["member_id"])
        events.append((ms, event))

    def later(self, event: Event, ms: int) -> None:
        """Schedule an event, unless too many are."""
        if len(self.pending) < self.max_pending:
            heappush(self.pending, (ms, self.count, event))

    def stamp(self, ms: int) -> str:
        """RFC 3339 text of a time."""
        minute, rest = divmod(ms, MINUTE)
        if minute != self.minute:
            self.minute = minute
            self.minute_text = (EPOCH + timedelta(minutes=minute)).strftime("%Y-%m-%dT%H:%M:")
        return self.minute_text + self.seconds[rest]

    def member(self) -> str:
        """Somebody: by Zipf's law the oldest members most, and one time in five the newest."""
        u, n = self.random(), len(self.members)
        if u < 0.2:
            return self.members[n - int(n ** (u * 5))]
        return self.members[int(n ** ((u - 0.2) * 1.25)) - 1]

    def remember(self, event_id: str, member: str, conversation: str) -> None:
        """Keep a message for answers and reactions; the oldest is forgotten."""
        if len(self.recent) < RECENT:
            self.recent.append((event_id, member, conversation))
        else:
            self.recent[self.count % RECENT] = (event_id, member, conversation)

    def event(self, family: str, member: str, ms: int, platform: str = "") -> Event:
        """The envelope."""
        self.count += 1
        return {
            "event_id": f"{self.prefix}{self.count:x}",
            "type": family,
            "platform": platform or self.community.chat,
            "community_id": self.community.id,
            "member_id": member,
            "occurred_at": self.stamp(ms),
            "schema_version": 1,
        }

    def say(self, ms: int, member: str, text: str, conversation: str) -> Event:
        """A message."""
        event = self.event("message", member, ms)
        event["text"] = text
        event["conversation_id"] = conversation
        event["language"] = self.community.topic.language
        return event

    def message(self, ms: int) -> Event:
        """Somebody writes: small talk, an answer, a question, a need in passing, or the start of a scene."""
        random, topic = self.random, self.community.topic
        kind, member = random(), self.member()
        if kind < 0.3 and self.recent:
            answered, author, conversation = self.recent[int(random() * len(self.recent))]
            event = self.say(ms, member, self.answers[int(random() * len(self.answers))], conversation)
            event["reply_to"] = answered
            if kind < 0.08 and author != member:
                event["mentions"] = [author]
        else:
            conversation = topic.channels[int(random() ** 2 * len(topic.channels))]
            if kind < 0.88:
                text = self.chat[int(random() * len(self.chat))]
            elif kind < 0.955:
                text = self.questions[int(random() * len(self.questions))]
            elif kind < 0.992:
                text = self.needs[int(random() * len(self.needs))]
            else:
                text = self.scene(ms, member, conversation)
            event = self.say(ms, member, text, conversation)
        self.remember(event["event_id"], member, conversation)
        return event

    def scene(self, ms: int, member: str, conversation: str) -> str:
        """Schedule a conversation in which several members put one need together; returns its first turn."""
        first, *turns = self.rng.choice(self.community.topic.scenes)
        speakers = [member]
        for turn in turns:
            ms += int((20 + self.random() * 160) * SECOND)
            speaker = next((one for one in (self.member() for _ in range(8)) if one not in speakers), self.member())
            speakers.append(speaker)
            self.later(self.say(ms, speaker, turn, conversation), ms)
        return first

    def react(self, ms: int) -> Event:
        """Somebody reacts to a recent message; one time in thirty a reaction is taken back."""
        if not self.recent:
            return self.message(ms)
        event = self.event("reaction", self.member(), ms)
        event["target_id"] = self.recent[int(self.random() * len(self.recent))][0]
        event["reaction"] = REACTIONS[int(self.random() * len(REACTIONS))]
        event["action"] = "remove" if self.random() < 0.033 else "add"
        return event

    def check_in(self, ms: int) -> Event:
        """Somebody checks in on their own, outside a ritual."""
        event = self.event("check_in", self.member(), ms)
        event["place"] = self.community.rituals[0].place if self.community.rituals else ""
        event["mode"] = "offline" if self.random() < 0.6 else "online"
        return event

    def gather(self, start_ms: int, name: str, place: str, mode: str, hourly: float) -> None:
        """A ritual begins: members check in around it, more of them where there is more activity."""
        for _ in range(poisson(self.rng, min(len(self.members) * TURNOUT, hourly * 0.25))):
            ms = start_ms + int(self.random() ** 2 * 40 * MINUTE) + 1
            event = self.event("check_in", self.member(), ms)
            event |= {"ritual": name, "place": place, "mode": mode}
            self.later(event, ms)

    def order(self, ms: int) -> Event:
        """Somebody orders; the life of the order and perhaps a review are scheduled."""
        rng, random, topic = self.rng, self.random, self.community.topic
        product = topic.products[int(random() * len(topic.products))]
        member = self.member()
        # Every third member has an account of its own at the shop, as an identity event may tell.
        buyer = f"shop-{member}" if int(member[1:]) % 3 == 0 else member
        quantity = 1 if random() < 0.8 else rng.randint(2, 4)
        cents = product.cents * quantity
        kind = "presale" if product.presale else "group_buy" if random() < 0.1 else "standard"
        order_id = f"{self.prefix}o{self.count + 1:x}"

        def step(status: str, at: int, amount: int = cents) -> Event:
            event = self.event("order", buyer, at, self.community.shop)
            event |= {"order_id": order_id, "kind": kind, "status": status, "amount": money(amount)}
            event |= {"currency": topic.currency, "product_id": product.id}
            event["items"] = [{"product_id": product.id, "quantity": quantity, "unit_price": money(product.cents)}]
            if product.presale:
                event["demand_id"] = f"{topic.name}-{product.id}"
            return event

        first = step("placed", ms)
        at = ms
        if product.presale:
            at += int((1 + random() * 30) * MINUTE)
            self.later(step("deposit_paid", at, cents // 5), at)
            at += int((1 + random() * 5) * DAY)
        else:
            at += int((1 + random() * 40) * MINUTE)
        if random() < 0.13:
            at += HOUR
            self.later(step("cancelled", at), at)
            return first
        self.later(step("paid", at, cents - cents // 5 if product.presale else cents), at)
        at += int((1 + random() * 4) * DAY)
        self.later(step("fulfilled", at), at)
        outcome = random()
        if outcome < 0.35:
            at += int((0.2 + random() * 5) * DAY)
            self.later(self.review(at, buyer, product, order_id), at)
        elif outcome < 0.37:
            at += int((1 + random() * 6) * DAY)
            self.later(step("refunded", at), at)
        return first

    def review(self, ms: int, buyer: str, product: Product, order_id: str) -> Event:
        """What the buyer thinks of it."""
        reviews = self.community.topic.reviews
        rating, text = reviews[int(self.random() ** 1.6 * len(reviews))]
        event = self.event("review", buyer, ms, self.community.shop)
        return event | {"product_id": product.id, "rating": rating, "text": text, "order_id": order_id}

    def newcomer(self) -> str:
        """The id of a member to be."""
        member = f"u{self.newest}"
        self.newest += 1
        return member

    def join(self, ms: int, member: str = "", inviter: str = "") -> Event:
        """Somebody joins; the bot says hello a little later."""
        if not member:
            member = self.newcomer()
            self.members.append(member)  # an invited one becomes a member when the scheduled event happens
        event = self.event("membership", member, ms) | {"action": "join", "role": "member", "stage": "new"}
        if inviter:
            event["inviter_id"] = inviter
        at = ms + int((1 + self.random() * 5) * SECOND)
        hello = self.say(
            at, "welcome-bot", "欢迎新朋友！" if self.chinese else "Welcome!", self.community.topic.channels[0]
        )
        self.later(hello | {"actor_kind": "bot", "mentions": [member]}, at)
        return event

    @property
    def chinese(self) -> bool:
        """Whether the community writes Chinese."""
        return self.community.topic.language == "zh"

    def invite(self, ms: int) -> Event:
        """Somebody invites a newcomer, who joins half of the times."""
        inviter, invitee = self.member(), self.newcomer()
        event = self.event("membership", inviter, ms) | {
            "action": "invite",
            "inviter_id": inviter,
            "invitee_id": invitee,
        }
        if self.random() < 0.5:
            at = ms + int((2 + self.random() * 600) * MINUTE)
            self.later(self.join(at, invitee, inviter), at)
        return event

    def leave(self, ms: int) -> Event:
        """Somebody leaves, while enough are left."""
        members = self.members
        if len(members) <= max(10, self.community.members // 3):
            return self.message(ms)
        index = int(self.random() * len(members))
        member, members[index] = members[index], members[-1]
        members.pop()
        return self.event("membership", member, ms) | {"action": "leave", "reason": "too busy" if index % 2 else ""}

    def link(self, ms: int) -> Event:
        """A member links the account at the shop, or unlinks a linked one."""
        member = self.member()
        if int(member[1:]) % 3:
            return self.message(ms)
        action = "unlink" if member in self.linked else "link"
        (self.linked.discard if action == "unlink" else self.linked.add)(member)
        linked = {"action": action, "linked_platform": self.community.shop, "linked_account_id": f"shop-{member}"}
        return self.event("identity", member, ms) | linked

    def bot_notice(self, ms: int) -> Event:
        """The bot reminds of something."""
        text = "本周活动报名中" if self.chinese else "This week's sign-up is open"
        event = self.say(ms, "notice-bot", text, self.community.topic.channels[0])
        event["actor_kind"] = "bot"
        return event

    def moderate(self, ms: int) -> Event:
        """Staff hides a message (and may restore it), or flags an actor kind."""
        if not self.recent:
            return self.message(ms)
        target = self.rng.choice(self.recent)[0]
        event = self.event("moderation", f"staff-{self.rng.randint(1, 2)}", ms) | {"actor_kind": "staff"}
        if self.random() < 0.2:
            return event | {"action": "flag", "target_member_id": "notice-bot", "flagged_kind": "bot"}
        if self.random() < 0.3:
            at = ms + 20 * MINUTE
            restore = self.event("moderation", event["member_id"], at) | {"actor_kind": "staff"}
            self.later(restore | {"action": "restore", "target_id": target, "reason": "checked"}, at)
        return event | {"action": "hide", "target_id": target, "reason": "off topic"}


def money(cents: int) -> str:
    """Decimal text of whole cents."""
    return f"{cents // 100}.{cents % 100:02}"


def poisson(rng: Random, mean: float) -> int:
    """A Poisson number; from a mean of 50 on its normal approximation, which is as good and does not take longer."""
    if mean >= 50:
        return max(0, round(rng.gauss(mean, sqrt(mean))))
    limit, product, number = exp(-mean), rng.random(), 0
    while product > limit:
        product *= rng.random()
        number += 1
    return number
