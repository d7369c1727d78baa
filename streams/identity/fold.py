"""The fold of a community's corrections: which accounts are one person, what moderation says of whom; pure.

It depends on the set of corrections and never on the order in which they arrived: everything goes by event time, and
by event id where times are equal.

Accounts are one person when links join them, directly or through others. A link of two accounts holds from its event
until an unlink of the same two that is later. A person is called by the `member_id` of the earliest link that holds
among all of their accounts; an account without links is a person of its own, called as the account is, on whatever
platform.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

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


def held_links(ordered: Iterable[Correction]) -> list[Correction]:
    """The links that hold: of each two accounts the first since their last unlink."""
    held: dict[frozenset[Account], Correction] = {}
    for each in ordered:
        pair = frozenset(each.accounts)
        if each.action == "link" and len(pair) == 2:
            held.setdefault(pair, each)
        elif each.action == "unlink":
            held.pop(pair, None)
    return list(held.values())


def people_of(links: Iterable[Correction]) -> dict[Account, str]:
    """Each linked account and its person: the connected components of the links."""
    ordered = sorted(links, key=lambda each: each.order)
    leaders = components(ordered)
    names: dict[Account, str] = {}
    for link in ordered:
        names.setdefault(leaders[link.accounts[0]], link.member_id)
    return {account: names[leader] for account, leader in leaders.items()}


def components(links: Iterable[Correction]) -> dict[Account, Account]:
    """Each linked account and one of those it is connected with, the same for all of them."""
    leaders: dict[Account, Account] = {}

    def leader(account: Account) -> Account:
        path = []
        while (above := leaders.setdefault(account, account)) != account:
            path.append(account)
            account = above
        for each in path:
            leaders[each] = account
        return account

    for link in links:
        one, other = link.accounts
        leaders[leader(other)] = leader(one)
    return {account: leader(account) for account in list(leaders)}


def standings(ordered: Iterable[Correction], corrected: Corrected) -> dict[str, Standing]:
    """What is said of each person over all of their accounts: the latest flag, the latest of hide and restore."""
    kinds: dict[str, str] = {}
    hidden: dict[str, bool] = {}
    erased: set[str] = set()
    for each in ordered:
        if not each.about_a_member:
            continue
        person = corrected.person(each.accounts[0])
        if each.action == "flag":
            kinds[person] = each.flagged_kind
        elif each.action == "erase":
            erased.add(person)
        elif each.action in ("hide", "restore"):
            hidden[person] = each.action == "hide"
    found = {
        person: Standing(kinds.get(person, ""), hidden.get(person, False) or person in erased, person in erased)
        for person in kinds.keys() | hidden.keys() | erased
    }
    return {person: standing for person, standing in found.items() if standing != Standing()}


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


class Touched(NamedTuple):
    """Whose numbers corrections may have changed: ids of accounts, on whatever platform, and of events."""

    accounts: set[str]
    events: set[str]


def touched(
    came: Iterable[Correction],
    corrected: Corrected,
    versions: Iterable[Correction] = (),
    hosts: Iterable[str] = (),
) -> Touched:
    """Whose numbers may be wrong after corrections came, changed or went, given every version of those that did.

    Every account of every person who is named: what a person was before differs from what they are now only by the
    corrections that came since, each of which names an account of either part. But none of `always_themselves`, which
    takes every version of all corrections, and hosts of rituals.
    """
    named: set[str] = set()
    persons: set[str] = set()
    events: set[str] = set()
    for each in came:
        if each.target_id:
            events.add(each.target_id)
        for account in each.accounts:
            named.add(account.account_id)
            # Moderators name a member on their own platform, or as the person is called.
            persons |= {corrected.person(account), account.account_id}
    of_person: dict[str, set[str]] = defaultdict(set)
    for account, person in corrected.people.items():
        of_person[person].add(account.account_id)
    accounts = named.union(*(of_person.get(person, ()) for person in persons))
    return Touched(accounts - always_themselves(versions, hosts), events)


def always_themselves(versions: Iterable[Correction], hosts: Iterable[str]) -> set[str]:
    """Ids of linked accounts whose facts are the same whichever of these corrections hold.

    Mostly the accounts that others are linked to, and those have the longest history: every link there ever was among
    all whom links ever connected calls the person as the account is called, moderation says nothing of any of them, and
    none of them hosts a ritual.
    """
    versions = list(versions)
    links = [each for each in versions if each.action == "link" and len(set(each.accounts)) == 2]
    special = {each.target_member_id for each in versions if each.about_a_member}.union(hosts)
    leaders = components(links)
    names: dict[Account, set[str]] = defaultdict(set)
    for link in links:
        names[leaders[link.accounts[0]]].add(link.member_id)
    connected: dict[Account, set[str]] = defaultdict(set)
    for account, leader in leaders.items():
        connected[leader].add(account.account_id)
    same, changing = set(), set()
    for leader, ids in connected.items():
        own = names[leader] if len(names[leader]) == 1 and not ids & special else set()
        same |= own
        changing |= ids - own
    return same - changing
