"""Accounts that may be one person, with the evidence for and against; a suggestion is never a link.

Names are compared as people read them: full and half width alike, without emoji, accents and case. What speaks for a
pair is said in words and numbers; whether it is one person is for a moderator to say, with an identity event.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

from streams.identity.fold import Account

ACCENTED = ("LATIN ", "GREEK ", "CYRILLIC ")
"""Scripts, as names of characters begin, whose marks people leave out."""

MANY = 20
"""A name that more accounts than this have in common says nothing."""

ADJACENT_S = 120
"""Seconds between the last act of one account and the first of the other that look like a change of name."""

WEIGHTS: Mapping[str, float] = {
    "same name": 3.0,
    "shared characters": 1.0,
    "one after the other": 1.0,
    "never together": 0.5,
}
"""What each kind of evidence counts: ours, so that no pair is suggested on times alone but for a change of name."""

LEAST = 1.5
"""Less than this is not suggested."""


@dataclass(frozen=True, slots=True)
class Life:
    """An account, the name it goes by, and when it acts: first and last in epoch s, and its hours since 1970."""

    account: Account
    name: str
    first_s: int
    last_s: int
    hours: frozenset[int]


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Two accounts that may be one person; `evidence` maps what speaks for it to how, in words."""

    one: Account
    other: Account
    score: float
    evidence: Mapping[str, str]


def normal(name: str) -> str:
    """A name as it is compared: NFKC, without case, emoji, punctuation, space, and accents.

    Accents are marks on Latin, Greek and Cyrillic letters. In other scripts marks are vowels and tones: they stay.
    What is left of digits at the end of a Latin name stays: ann1 and ann2 are two.
    """
    kept, takes_marks = [], False
    for char in unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", name).casefold()):
        category = unicodedata.category(char)
        if category[0] in "LN":
            kept.append(char)
            takes_marks = category[0] == "L" and not unicodedata.name(char, "").startswith(ACCENTED)
        elif category not in ("Mn", "Mc"):
            takes_marks = takes_marks and category == "Cf"
        elif takes_marks and not unicodedata.name(char, "").startswith("VARIATION SELECTOR"):
            kept.append(char)
    return unicodedata.normalize("NFC", "".join(kept))


def characters(name: str) -> frozenset[str]:
    """The Chinese characters of a name."""
    return frozenset(re.findall(r"[\u3400-\u4dbf\u4e00-\u9fff]", unicodedata.normalize("NFKC", name)))


def suggest(lives: Iterable[Life], linked: Mapping[Account, str]) -> list[Suggestion]:
    """Pairs of accounts that may be one person, the likeliest first; `linked`: the person each linked account is.

    Any other account is called as it is, on whatever platform: two of one id are one person without a link.
    """
    found = []
    for one, other in candidates(sorted(lives, key=lambda life: life.account)):
        persons = {linked.get(account, account.account_id) for account in (one.account, other.account)}
        if len(persons) == 1:
            continue
        evidence = evidence_of(one, other)
        score = sum(WEIGHTS[kind] for kind in evidence)
        if score >= LEAST:
            found.append(Suggestion(one.account, other.account, score, evidence))
    return sorted(found, key=lambda each: (-each.score, each.one, each.other))


def candidates(lives: list[Life]) -> Iterator[tuple[Life, Life]]:
    """Pairs worth a look: a name, two Chinese characters, or a moment of change in common."""
    blocks: dict[tuple[str, object], list[int]] = defaultdict(list)
    for number, life in enumerate(lives):
        if name := normal(life.name):
            blocks["name", name].append(number)
        for pair in combinations(sorted(characters(life.name)), 2):
            blocks["characters", pair].append(number)
    seen = {pair for block in blocks.values() if len(block) <= MANY for pair in combinations(block, 2)}
    by_first = sorted(range(len(lives)), key=lambda number: lives[number].first_s)
    starts = [lives[number].first_s for number in by_first]
    for number, life in enumerate(lives):
        low, high = bisect_left(starts, life.last_s), bisect_right(starts, life.last_s + ADJACENT_S)
        seen |= {(min(number, later), max(number, later)) for later in by_first[low:high] if later != number}
    yield from ((lives[one], lives[other]) for one, other in sorted(seen))


def evidence_of(one: Life, other: Life) -> dict[str, str]:
    """What speaks for two accounts being one person."""
    found = {}
    names, shared = (normal(one.name), normal(other.name)), characters(one.name) & characters(other.name)
    if names[0] and names[0] == names[1]:
        found["same name"] = f"{one.name} and {other.name} are both read as {names[0]}"
    elif len(shared) >= 2:
        either = characters(one.name) | characters(other.name)
        found["shared characters"] = f"{len(shared)} of {len(either)}: {''.join(sorted(shared))}"
    earlier, later = (one, other) if one.last_s <= other.last_s else (other, one)
    gap = later.first_s - earlier.last_s
    if 0 <= gap <= ADJACENT_S and one.account.platform == other.account.platform:
        found["one after the other"] = f"one stops {gap} s before the other starts"
    together = len(one.hours & other.hours)
    if not together and len(one.hours) >= 3 and len(other.hours) >= 3:
        found["never together"] = f"active in {len(one.hours)} and {len(other.hours)} hours, none of them the same"
    return found
