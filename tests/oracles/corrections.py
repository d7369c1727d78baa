"""Facts as corrected, by plain search: who is one person, what kind they are, and what does not count.

Imports nothing of the project. Everything is asked anew for each account: slow, and hard to get wrong.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

Event = dict[str, Any]
Account = tuple[str, str]


class Community:
    """The corrections of one community, and the questions that the facts have for them."""

    def __init__(self, facts: Iterable[Event], time_of: Callable[[Event], datetime]) -> None:
        def when(event: Event) -> tuple[datetime, str]:
            return time_of(event), event["event_id"]

        facts = list(facts)
        self.when, self.time_of = when, time_of
        self.moderation = sorted((fact for fact in facts if fact["type"] == "moderation"), key=when)
        links = self.identity = [fact for fact in facts if fact["type"] == "identity"]
        unlinked = [(when(fact), set(self.ends(fact))) for fact in links if fact["action"] == "unlink"]
        self.links = [
            (when(fact), fact)
            for fact in links
            if fact["action"] == "link"
            and not any(set(self.ends(fact)) == pair and at > when(fact) for at, pair in unlinked)
            and len(set(self.ends(fact))) == 2
        ]
        self.friends: dict[Account, set[Account]] = defaultdict(set)
        for _, link in self.links:
            one, other = self.ends(link)
            self.friends[one].add(other)
            self.friends[other].add(one)
        self.names: dict[Account, str] = {}
        self.gone: set[str] | None = None

    @staticmethod
    def ends(fact: Event) -> tuple[Account, Account]:
        return (fact["platform"], fact["member_id"]), (fact["linked_platform"], fact["linked_account_id"])

    def person(self, account: Account) -> str:
        if account not in self.friends:
            return account[1]
        if account not in self.names:
            reached, new = {account}, {account}
            while new:
                new = {friend for each in new for friend in self.friends[each]} - reached
                reached |= new
            _, first = min((link for link in self.links if self.ends(link[1])[0] in reached), key=lambda link: link[0])
            for each in reached:
                self.names[each] = first["member_id"]
        return self.names[account]

    def said_of_member(self, person: str, *actions: str) -> list[Event]:
        return [
            said
            for said in self.moderation
            if said["action"] in actions
            and said.get("target_member_id")
            and (said["action"] == "flag" or not said.get("target_id"))
            and self.person((said["platform"], said["target_member_id"])) == person
        ]

    def erased(self, person: str) -> bool:
        """Whether they have an account that was erased: one of whoever was erased, as things were at that time."""
        if self.gone is None:
            self.gone = set()
            known = [end for fact in self.identity for end in self.ends(fact)]
            for said in self.moderation:
                if said["action"] == "erase" and said.get("target_member_id") and not said.get("target_id"):
                    before = [fact for fact in self.identity if self.when(fact) < self.when(said)]
                    then = Community(before, self.time_of)
                    meant = then.person((said["platform"], said["target_member_id"]))
                    # An account that nothing is known of is called as it is, then as now.
                    accounts = [account for account in known if then.person(account) == meant]
                    self.gone |= {meant, *map(self.person, accounts)}
        return person in self.gone

    def said_of_event(self, event_id: str, *actions: str) -> list[Event]:
        return [said for said in self.moderation if said["action"] in actions and said.get("target_id") == event_id]

    def mentioned(self, fact: Event) -> dict[str, str]:
        """Persons that a fact mentions, and the kind they were flagged as; whoever is hidden or erased is not there."""
        persons = {self.person((fact["platform"], account)) for account in fact.get("mentions") or ()}
        flags = {person: self.said_of_member(person, "flag") for person in persons if self.stays(person)}
        return {person: (said[-1].get("flagged_kind") or "") if said else "" for person, said in flags.items()}

    def hosts(self, host: str) -> set[str]:
        """Persons who have an account of that name."""
        return {self.person(account) for account in list(self.friends) if account[1] == host}

    def family(self, fact: Event, hosts: Mapping[str, str]) -> str:
        """The type; or hosting, for a check-in of who is called as the host of the ritual, or has such an account."""
        host = hosts.get(fact.get("ritual") or "", "") if fact["type"] == "check_in" else ""
        person = self.person((fact["platform"], fact["member_id"]))
        return "hosting" if host and person in {host, *self.hosts(host)} else str(fact["type"])

    def stays(self, person: str) -> bool:
        said = self.said_of_member(person, "hide", "restore")
        return not ((said and said[-1]["action"] == "hide") or self.erased(person))

    def counts(self, fact: Event, person: str) -> bool:
        for said in (
            self.said_of_member(person, "hide", "restore"),
            self.said_of_event(fact["event_id"], "hide", "restore"),
        ):
            if said and said[-1]["action"] == "hide":
                return False
        return not (self.erased(person) or self.said_of_event(fact["event_id"], "erase"))

    def kind(self, fact: Event, person: str) -> str:
        flags = self.said_of_member(person, "flag")
        return (flags[-1].get("flagged_kind") if flags else "") or fact.get("actor_kind", "human")


def nobody(community: str) -> Mapping[str, str]:
    return {}


def corrected(
    facts: Iterable[Event],
    time_of: Callable[[Event], datetime],
    hosts_of: Callable[[str], Mapping[str, str]] = nobody,
) -> list[Event]:
    """Facts as every number counts them: `member_id` is the person (`account_id`: as published), the kind corrected.

    `mentioned` are the persons mentioned, with the kind that moderation gave them; `family` is the type, or hosting.
    `hosts_of` gives the host of each ritual that a community declared one for.
    """
    communities: dict[str, list[Event]] = defaultdict(list)
    for fact in facts:
        communities[fact["community_id"]].append(fact)
    found = []
    for name, members in communities.items():
        community = Community(members, time_of)
        for fact in members:
            person = community.person((fact["platform"], fact["member_id"]))
            if community.counts(fact, person):
                kind = community.kind(fact, person)
                says = {"account_id": fact["member_id"], "member_id": person, "actor_kind": kind}
                says["family"] = community.family(fact, hosts_of(name))
                found.append(fact | says | {"mentioned": community.mentioned(fact)})
    return found
