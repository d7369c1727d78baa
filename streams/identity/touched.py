"""Whose numbers corrections touch: whoever may be somebody else, or count otherwise, than before they came; pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from streams.identity.fold import Account, Corrected, Correction, components

BINDING = ("link", "unlink", "erase")
"""Actions that say whom an erasure binds."""


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
    corrections that came since, each of which names an account of either part. Whoever is called as one of these
    accounts was perhaps one person with it. Whom an erasure binds depends on links that may hold no longer, so where
    one is, all are touched whom it may bind. But none of `always_themselves`, which takes every version of all
    corrections, and hosts of rituals.
    """
    came, versions = list(came), list(versions)
    events = {each.target_id for each in came if each.target_id}
    named = {account.account_id for each in came for account in each.accounts}
    # Moderators name a member on their own platform, or as the person is called.
    persons = named | {corrected.person(account) for each in came for account in each.accounts}
    of_person: dict[str, set[str]] = defaultdict(set)
    for account, person in corrected.people.items():
        of_person[person].add(account.account_id)
    accounts = named.union(*(of_person.get(person, ()) for person in persons))
    accounts = accounts.union(*(of_person.get(person, ()) for person in accounts))
    binding = {account.account_id for each in came if each.action in BINDING for account in each.accounts}
    accounts = accounts.union(*(ids for ids in bound_together([*versions, *came]) if ids & binding))
    return Touched(accounts - always_themselves(versions, hosts), events)


def bound_together(versions: Iterable[Correction]) -> list[set[str]]:
    """Ids of accounts that one erasure may bind: whoever was erased, and all whom links ever connected with them.

    By id alone, for an erasure binds all who are called as the person is, on whatever platform.
    """
    versions = list(versions)
    erased = {each.target_member_id for each in versions if each.erases_a_member}
    if not erased:
        return []
    leaders = components((each.member_id, each.linked_account_id) for each in versions if each.action == "link")
    together: dict[str, set[str]] = defaultdict(set)
    for account_id, leader in leaders.items():
        together[leader].add(account_id)
    return [ids for ids in together.values() if ids & erased]


def always_themselves(versions: Iterable[Correction], hosts: Iterable[str]) -> set[str]:
    """Ids of linked accounts whose facts are the same whichever of these corrections hold.

    Mostly the accounts that others are linked to, and those have the longest history: every link there ever was among
    all whom links ever connected calls the person as the account is called, moderation says nothing of any of them nor
    erases whom it may bind with them, and none of them hosts a ritual.
    """
    versions = list(versions)
    links = [each for each in versions if each.action == "link" and len(set(each.accounts)) == 2]
    special = {each.target_member_id for each in versions if each.about_a_member}.union(
        hosts, *bound_together(versions)
    )
    leaders = components((link.accounts[0], link.accounts[1]) for link in links)
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
