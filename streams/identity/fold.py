"""The fold of a community's corrections: which accounts are one person, what moderation says of whom; pure.

It depends on the set of corrections and never on the order in which they arrived: everything goes by event time, and
by event id where times are equal.

Accounts are one person when links join them, directly or through others. A link of two accounts holds from its event
until an unlink of the same two that is later. A person is called by the `member_id` of the earliest link that holds
among all of their accounts; an account without links is a person of its own, called as the account is, on whatever
platform.

An erasure is for ever. It binds every account that was the person's at its event time, by the links that held then, and
whoever has a bound account now is erased, with all of their accounts: no later link or unlink takes anybody out of it.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

Node = TypeVar("Node", bound=Hashable)

FAMILIES = ("identity", "moderation")
"""Families of events that are corrections."""


class Account(NamedTuple):
    """An account, as its platform names it."""

    platform: str
    account_id: str


class Correction(NamedTuple):
    """An identity or moderation event; `at_ms` is its event time in ms since 1970."""

    event_id: str
    at_ms: int
    platform: str
    member_id: str
    action: str
    linked_platform: str = ""
    linked_account_id: str = ""
    target_id: str = ""
    target_member_id: str = ""
    flagged_kind: str = ""

    @property
    def order(self) -> tuple[int, str]:
        """The greatest of several corrections of one thing holds."""
        return self.at_ms, self.event_id

    @property
    def accounts(self) -> tuple[Account, ...]:
        """The accounts it names; the moderator's is not one of them."""
        if self.action in ("link", "unlink"):
            return Account(self.platform, self.member_id), Account(self.linked_platform, self.linked_account_id)
        return (Account(self.platform, self.target_member_id),) if self.about_a_member else ()

    @property
    def about_a_member(self) -> bool:
        """Whether it moderates a member; one that names an event hides, restores or erases no more than that."""
        return bool(self.target_member_id) and (self.action == "flag" or not self.target_id)

    @property
    def erases_a_member(self) -> bool:
        """Whether it erases a member, and not an event alone."""
        return self.action == "erase" and self.about_a_member


@dataclass(frozen=True, slots=True)
class Standing:
    """What moderation says of a person: the kind of all their events (empty: as published), and whether they count.

    `erased` is for ever; `hidden` is also true for who is erased.
    """

    actor_kind: str = ""
    hidden: bool = False
    erased: bool = False


@dataclass(frozen=True, slots=True)
class Corrected:
    """What the corrections of one community come to.

    `people`: each linked account and its person. `standing`: persons of whom anything is said. `hidden`: events that do
    not count, and whether that is for ever.
    """

    people: Mapping[Account, str]
    standing: Mapping[str, Standing]
    hidden: Mapping[str, bool]

    def person(self, account: Account) -> str:
        """The person an account belongs to."""
        return self.people.get(account, account.account_id)


def fold(corrections: Iterable[Correction]) -> Corrected:
    """Fold corrections of one community, each event once, in any order."""
    ordered = sorted(corrections, key=lambda each: each.order)
    people = people_of(held_links(ordered))
    corrected = Corrected(people, {}, hidden_events(ordered))
    return Corrected(people, standings(ordered, corrected), corrected.hidden)


Links = dict[Account, dict[Account, Correction]]
"""Accounts, those each is linked with, and the link that holds; both ways."""


def take(links: Links, each: Correction) -> None:
    """Take in the next correction: of each two accounts the first link since their last unlink holds."""
    if each.action not in ("link", "unlink"):
        return
    one, other = each.accounts
    if each.action == "link" and one != other:
        links.setdefault(one, {}).setdefault(other, each)
        links.setdefault(other, {}).setdefault(one, each)
    elif each.action == "unlink" and other in links.get(one, ()):
        del links[one][other], links[other][one]


def held_links(ordered: Iterable[Correction]) -> list[Correction]:
    """The links that hold after all of these."""
    links: Links = {}
    for each in ordered:
        take(links, each)
    return [link for one, others in links.items() for other, link in others.items() if one < other]


def people_of(links: Iterable[Correction]) -> dict[Account, str]:
    """Each linked account and its person: the connected components of the links."""
    ordered = sorted(links, key=lambda each: each.order)
    leaders = components((link.accounts[0], link.accounts[1]) for link in ordered)
    names: dict[Account, str] = {}
    for link in ordered:
        names.setdefault(leaders[link.accounts[0]], link.member_id)
    return {account: names[leader] for account, leader in leaders.items()}


def components(pairs: Iterable[tuple[Node, Node]]) -> dict[Node, Node]:
    """Each of those that pairs join and one of those it is connected with, the same for all of them."""
    leaders: dict[Node, Node] = {}

    def leader(node: Node) -> Node:
        path = []
        while (above := leaders.setdefault(node, node)) != node:
            path.append(node)
            node = above
        for each in path:
            leaders[each] = node
        return node

    for one, other in pairs:
        leaders[leader(other)] = leader(one)
    return {node: leader(node) for node in list(leaders)}


def standings(ordered: Sequence[Correction], corrected: Corrected) -> dict[str, Standing]:
    """What is said of each person over all of their accounts: the latest flag, the latest of hide and restore."""
    kinds: dict[str, str] = {}
    hidden: dict[str, bool] = {}
    erased = erased_people(ordered, corrected)
    for each in ordered:
        if not each.about_a_member:
            continue
        person = corrected.person(each.accounts[0])
        if each.action == "flag":
            kinds[person] = each.flagged_kind
        elif each.action in ("hide", "restore"):
            hidden[person] = each.action == "hide"
    found = {
        person: Standing(kinds.get(person, ""), hidden.get(person, False) or person in erased, person in erased)
        for person in kinds.keys() | hidden.keys() | erased
    }
    return {person: standing for person, standing in found.items() if standing != Standing()}


def erased_people(ordered: Sequence[Correction], corrected: Corrected) -> set[str]:
    """Whoever has an account now that was the person's when they were erased.

    Among a person's accounts are those without links that are called as the person is, on whatever platform: so whoever
    goes by that name now is erased too.
    """
    if not any(each.erases_a_member for each in ordered):
        return set()
    platforms = {name for each in ordered if each.action == "link" for name in (each.platform, each.linked_platform)}
    links: Links = {}
    erased: set[str] = set()
    for each in ordered:
        take(links, each)
        if each.erases_a_member:
            person, bound = person_in(links, each.accounts[0])
            for account in (Account(platform, person) for platform in platforms):
                if account not in bound:
                    name, accounts = person_in(links, account)
                    bound |= accounts if name == person else set()
            erased |= {person, *map(corrected.person, bound)}
    return erased


def person_in(links: Links, account: Account) -> tuple[str, set[Account]]:
    """What the person of an account is called while these links hold, and all whom these connect with it."""
    reached, new = {account}, [account]
    earliest: Correction | None = None
    while new:
        for other, link in links.get(new.pop(), {}).items():
            if earliest is None or link.order < earliest.order:
                earliest = link
            if other not in reached:
                reached.add(other)
                new.append(other)
    return earliest.member_id if earliest else account.account_id, reached


def hidden_events(ordered: Iterable[Correction]) -> dict[str, bool]:
    """Events that do not count, and whether they are erased: the latest of hide and restore, unless erased."""
    hidden: dict[str, bool] = {}
    for each in ordered:
        if not each.target_id or hidden.get(each.target_id):
            continue
        if each.action in ("hide", "erase"):
            hidden[each.target_id] = each.action == "erase"
        elif each.action == "restore":
            hidden.pop(each.target_id, None)
    return hidden
