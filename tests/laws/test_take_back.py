"""Law 5, take back: merged then unmerged, flagged then unflagged, hidden then restored -> as if it had not happened.

Erased -> as if the person had never been, with every account that was theirs then. For every aggregate there is.

Each way is a world of its own; the worlds go through the pipeline side by side. After every step the rows are also held
against the fold, so that what is taken back was there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from folds import Rows, check, stored, together
from histories import BODIES, NOW, Delivery, rfc3339, rituals_of, send
from pipeline import Lab, Log

from streams.aggregates import ALL

pytestmark = pytest.mark.connected

RECEIVED_MS = int(NOW.timestamp() * 1000)
DAY = 1440
NAMES = ["ann", "bo", "cy", "a1", "robot", "mo"]


def event(event_id: str, family: str, minutes: float, sent_s: int | None = None, **fields: Any) -> Delivery:
    """An event so many minutes before NOW."""
    made = {
        "event_id": event_id,
        "type": family,
        "platform": "wechat",
        "community_id": "tea",
        "member_id": "ann",
        "occurred_at": rfc3339(NOW - timedelta(minutes=minutes), 0),
        **BODIES[family],
        **fields,
    }
    if sent_s is not None:
        made["sent_at"] = rfc3339(NOW + timedelta(seconds=sent_s), 0)
    return Delivery(family, made, b"", RECEIVED_MS)


def link(event_id: str, minutes: float, one: str, other: str, sent_s: int | None = None, **fields: Any) -> Delivery:
    """`one` on wechat is `other` at the shop."""
    said = {"action": "link", "linked_platform": "shop", "linked_account_id": other, "member_id": one}
    return event(event_id, "identity", minutes, sent_s, **(said | fields))


def moderate(event_id: str, minutes: float, action: str, **fields: Any) -> Delivery:
    said = {"action": action, "target_member_id": "", "flagged_kind": "", "member_id": "mo", "actor_kind": "staff"}
    return event(event_id, "moderation", minutes, **(said | fields))


LIFE = [
    event("1", "message", 5),
    event("2", "message", 5, member_id="bo", mentions=["ann"]),
    event("3", "order", 4, member_id="a1", platform="shop"),
    event("4", "order", 3 * DAY, member_id="a1", platform="shop"),
    event("5", "check_in", 3 * DAY + 2),
    event("6", "review", 90, member_id="bo", platform="shop"),
    event("7", "message", 2, member_id="robot", actor_kind="human"),
    event("8", "message", 75 * DAY, member_id="robot"),
    event("9", "reaction", 70, member_id="cy", target_id="2"),
    event("10", "message", 3, member_id="ann", platform="shop"),
    event("11", "message", 5, member_id="cy", community_id="pot"),
    event("13", "check_in", 6, member_id="a1", platform="shop"),
    event("14", "check_in", 7, member_id="cy"),
]


@dataclass(frozen=True)
class Way:
    """Corrections, and what takes them back."""

    name: str
    done: list[Delivery]
    undone: list[Delivery]


WAYS = [
    Way(
        "merge, unmerge",
        [link("m", 60, "ann", "a1")],
        [link("u", 50, "ann", "a1", action="unlink")],
    ),
    Way(
        "a chain, cut in the middle and at its end",
        [
            link("m1", 60, "ann", "a1"),
            link("m2", 59, "bo", "a1"),
            link("m3", 58, "cy", "bo"),
            link("m4", 57, "bo", "bo"),
        ],
        [
            link("u2", 50, "bo", "a1", action="unlink"),
            link("u1", 49, "ann", "a1", action="unlink"),
            link("u3", 48, "cy", "bo", action="unlink"),
            link("u4", 47, "bo", "bo", action="unlink"),
        ],
    ),
    Way("a host who is known by another account", [link("m", 60, "cy", "ann")],
        [link("u", 50, "cy", "ann", action="unlink")]),
    Way("unmerged from the other side", [link("m", 60, "ann", "a1")], [event(
        "u", "identity", 50, member_id="a1", platform="shop", action="unlink",
        linked_platform="wechat", linked_account_id="ann",
    )]),
    Way("flag, unflag", [moderate("f", 60, "flag", target_member_id="robot", flagged_kind="bot")],
        [moderate("g", 50, "flag", target_member_id="robot")]),
    Way("merge and flag, unmerge and unflag",
        [link("m", 60, "robot", "a1"), moderate("f", 59, "flag", target_member_id="robot", flagged_kind="bot")],
        [moderate("g", 50, "flag", target_member_id="robot"),
         link("u", 40, "robot", "a1", action="unlink")]),
    Way("hide, restore", [moderate("h", 60, "hide", target_id="2")], [moderate("r", 50, "restore", target_id="2")]),
    Way("hide a member, restore", [moderate("h", 60, "hide", target_member_id="bo")],
        [moderate("r", 50, "restore", target_member_id="bo")]),
    Way("hide what has not come yet, restore", [moderate("h", 60, "hide", target_id="12"), event("12", "message", 5)],
        [moderate("r", 50, "restore", target_id="12")]),
    Way("an erasure that is edited away",
        [moderate("e", 60, "erase", target_member_id="bo", sent_at=rfc3339(NOW, 0))],
        [moderate("e", 60, "restore", target_id="nothing", sent_at=rfc3339(NOW + timedelta(seconds=1), 0))]),
    Way("an erasure of who is unmerged afterwards, that is edited away",
        [link("m", 60, "ann", "a1"), moderate("e", 59, "erase", target_member_id="ann", sent_at=rfc3339(NOW, 0)),
         link("u", 58, "ann", "a1", action="unlink")],
        [moderate("e", 59, "restore", target_id="nothing", sent_at=rfc3339(NOW + timedelta(seconds=1), 0))]),
    Way("a link whose event becomes a message", [link("m", 60, "ann", "a1", 1)],
        [event("m", "message", 60, 2, member_id="mo")]),
]  # fmt: skip


ERASED = moderate("e", 60, "erase", target_member_id="bo")
HIDDEN = [moderate("h", 60, "hide", target_id="2"), moderate("i", 60, "erase", target_id="9")]


def about_nothing(delivery: Delivery) -> Delivery:
    """The same event by the same member at the same time, but it corrects nothing: its own row stays as it is."""
    assert delivery.event is not None
    said = {
        "identity": {"action": "unlink", "linked_platform": "nowhere", "linked_account_id": "nobody"},
        "moderation": {"action": "restore", "target_id": "nothing", "target_member_id": ""},
    }.get(delivery.family, {})
    return replace(delivery, event=delivery.event | said)


class Worlds:
    """Worlds that go through the pipeline side by side, step by step."""

    def __init__(self, lab: Lab) -> None:
        self.lab, self.log = lab, Log()
        self.worker = lab.worker(self.log)
        self.sent: dict[str, list[Delivery]] = {}

    def new(self) -> str:
        world = self.lab.world()
        self.sent[world] = []
        return world

    def send(self, world: str, deliveries: list[Delivery]) -> None:
        send(deliveries, self.log, self.lab.settings.kafka.topic_prefix, world)
        self.sent[world] += deliveries

    def drain(self) -> None:
        self.lab.run(self.worker.drain())

    def rows(self, world: str) -> dict[str, Rows]:
        """Every row of every aggregate, as if the world had no name."""
        found = {}
        for aggregate in ALL:
            rows = stored(self.lab.warehouse, aggregate, NAMES, world)
            found[aggregate.name] = {(key[0].removeprefix(world), *key[1:]): row for key, row in rows.items()}
        return found

    def check(self) -> None:
        """All worlds are what the fold says."""
        prefix = self.lab.settings.kafka.topic_prefix
        oracles = [send(sent, Log(), prefix, world) for world, sent in self.sent.items()]
        check(self.lab.warehouse, together(oracles), *self.sent, rituals_of=rituals_of)


def test_what_is_taken_back_leaves_the_rows_as_if_it_had_not_happened(lab: Lab) -> None:
    worlds = Worlds(lab)
    cases = {way.name: (worlds.new(), worlds.new(), worlds.new(), worlds.new()) for way in WAYS}
    for way in WAYS:
        in_order, undone_first, at_once, never = cases[way.name]
        worlds.send(in_order, LIFE)
        worlds.send(undone_first, way.undone)
        worlds.send(at_once, [*way.undone, *LIFE, *way.done])
        worlds.send(never, [*LIFE, *map(about_nothing, way.done)])
    worlds.drain()
    for way in WAYS:
        in_order, undone_first, _, _ = cases[way.name]
        worlds.send(in_order, way.done)
        worlds.send(undone_first, way.done)
    worlds.drain()
    worlds.check()
    unchanged = [name for name, (in_order, *_, never) in cases.items() if worlds.rows(in_order) == worlds.rows(never)]
    assert [] == unchanged
    for way in WAYS:
        in_order, undone_first, _, never = cases[way.name]
        worlds.send(in_order, way.undone)
        worlds.send(undone_first, LIFE)
        worlds.send(never, [*map(about_nothing, way.undone)])
    worlds.drain()
    worlds.check()
    for name, (*tried, never) in cases.items():
        expected = worlds.rows(never)
        for world in tried:
            assert expected == worlds.rows(world), name


def test_what_is_erased_or_hidden_leaves_the_rows_as_if_it_had_never_been(lab: Lab) -> None:
    worlds = Worlds(lab)
    erased, before, never, hidden, not_said = (worlds.new() for _ in range(5))

    def of(delivery: Delivery) -> tuple[str, str]:
        assert delivery.event is not None
        return delivery.event["member_id"], delivery.event["event_id"]

    worlds.send(erased, LIFE)
    worlds.send(before, [ERASED])
    worlds.send(never, [each for each in LIFE if of(each)[0] != "bo"])
    worlds.send(hidden, LIFE)
    worlds.send(not_said, [each for each in LIFE if of(each)[1] not in ("2", "9")])
    worlds.drain()
    worlds.send(erased, [ERASED])
    worlds.send(before, LIFE)
    worlds.send(never, [about_nothing(ERASED)])
    worlds.send(hidden, HIDDEN)
    worlds.send(not_said, [about_nothing(each) for each in HIDDEN])
    worlds.drain()
    worlds.check()
    assert worlds.rows(never) == worlds.rows(erased) == worlds.rows(before)
    assert worlds.rows(not_said) == worlds.rows(hidden)


def test_an_unmerge_brings_back_nobody_who_was_erased(lab: Lab) -> None:
    worlds = Worlds(lab)
    merged, late, never = worlds.new(), worlds.new(), worlds.new()
    merge = [link("m1", 70, "bo", "a1"), link("m2", 69, "cy", "a1")]
    unmerge = [link("u2", 50, "cy", "a1", action="unlink"), link("u1", 49, "bo", "a1", action="unlink")]
    worlds.send(merged, [*LIFE, *merge, ERASED])
    worlds.send(late, [*LIFE, ERASED, merge[1], *unmerge])
    gone = {("tea", member) for member in ("bo", "cy", "a1")}  # In another community cy is somebody else.
    stay = [each for each in LIFE if each.event and (each.event["community_id"], each.event["member_id"]) not in gone]
    worlds.send(never, stay)
    worlds.drain()
    worlds.send(merged, unmerge)
    # It comes when nothing is joined any more, and binds cy too, who is neither named nor connected with who is.
    worlds.send(late, merge[:1])
    worlds.send(never, [about_nothing(ERASED)])
    worlds.drain()
    worlds.check()
    assert worlds.rows(never) == worlds.rows(merged) == worlds.rows(late)


def test_what_comes_late_for_a_merged_member_is_theirs(lab: Lab) -> None:
    """Rows are those of one account; what was there before the merge, and what comes after it, alike."""
    worlds = Worlds(lab)
    world = worlds.new()
    merge = [link("m1", 60, "ann", "a1"), link("m2", 59, "bo", "a1")]
    worlds.send(world, [*LIFE, *merge])
    worlds.drain()
    late = [
        event("20", "order", 9 * DAY, member_id="a1", platform="shop"),
        event("21", "message", 400 * DAY, member_id="bo"),
        event("6", "review", 200, 5, member_id="bo", platform="shop"),  # not bo: an account of the shop nobody linked
        event("2", "message", 300, 5, member_id="bo"),
    ]
    worlds.send(world, late)
    worlds.drain()
    worlds.check()
    of_ann = lab.warehouse.rows(
        "SELECT platform, account_id, count() FROM {db}.events "
        "WHERE community_id = {name:String} AND member_id = 'ann' GROUP BY 1, 2 ORDER BY 1, 2",
        {"name": f"{world}tea"},
    )
    assert [("shop", "a1", 4), ("shop", "ann", 1), ("wechat", "ann", 3), ("wechat", "bo", 3)] == of_ann
