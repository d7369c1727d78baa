"""Signs of belonging in plain Python: what each corrected fact speaks of, asks for, thanks for, attends, buys or is.

Shares no code with `streams`. Texts are cut into words character by character, terms are looked for among them.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import datetime
from functools import cache, lru_cache
from typing import Any

Event = dict[str, Any]
Lexicon = Mapping[str, Iterable[str]]
"""Value -> its terms."""

SUPPORT = [
    *("help", "stuck", "struggling", "worried", "anxious", "lonely", "sad", "tired", "exhausted"),
    *("求助", "帮帮", "救命", "难过", "焦虑", "崩溃", "好累", "压力", "孤独", "撑不住"),
]
QUESTION = ["how to", "how do", "how can", "how does", "anyone", "怎么", "如何", "请问", "有没有"]
THANKS = ["thanks", "thank you", "thx", "谢谢", "感谢", "多谢", "谢了"]
BOUGHT = ("placed", "deposit_paid", "paid", "fulfilled")


@cache
def unspaced(character: str) -> bool:
    """Whether its script is written without spaces."""
    name = unicodedata.name(character, "")
    return name.startswith(("CJK UNIFIED", "CJK COMPATIBILITY IDEOGRAPH", "HIRAGANA", "KATAKANA", "THAI"))


@lru_cache(maxsize=4096)
def words(text: str) -> list[str]:
    """Runs of letters and digits of one kind of script, in lower case."""
    found: list[str] = []
    before = ""
    for character in text.lower():
        kind = "other"
        if unicodedata.category(character)[0] in "LN":
            kind = "unspaced" if unspaced(character) else "word"
            if kind == before:
                found[-1] += character
            else:
                found.append(character)
        before = kind
    return found


def speaks_of(text: str, term: str) -> bool:
    """Whether a term is in a text."""
    wanted, heard = words(term), words(text)
    if not wanted:
        return False
    if any(map(unspaced, term)):
        return " ".join(wanted) in " ".join(heard)
    if wanted[0] not in heard:
        return False
    return any(heard[n : n + len(wanted)] == wanted for n in range(len(heard)))


def signs(fact: Event, lexicon: Lexicon) -> Iterator[tuple[str, str]]:
    """(kind, ref) of each sign in a fact."""
    text = fact.get("text", "")
    if fact["type"] == "message":
        yield from (
            ("value", value) for value, terms in lexicon.items() if any(speaks_of(text, term) for term in terms)
        )
        if not fact.get("reply_to"):
            if any(speaks_of(text, term) for term in SUPPORT):
                yield "support", fact["event_id"]
            if re.search(r"？|\?(?=[ \n]|\Z)", text) or any(speaks_of(text, term) for term in QUESTION):
                yield "question", fact["event_id"]
        if any(speaks_of(text, term) for term in THANKS):
            yield "thanks", fact["event_id"]
    elif fact["type"] == "check_in":
        yield from ((kind, fact[kind]) for kind in ("ritual", "place") if fact.get(kind))
    elif fact["type"] == "review" or (fact["type"] == "order" and fact["status"] in BOUGHT):
        products = [item["product_id"] for item in fact.get("items", ())] + [fact.get("product_id", "")]
        yield from (("product", product) for product in sorted(set(products)) if product)
        if fact.get("kind") == "group_buy" and fact["status"] in ("paid", "fulfilled"):
            yield "group_buy", fact["order_id"]
    elif fact["type"] == "membership" and fact["action"] in ("join", "leave"):
        yield from ((kind, fact[kind]) for kind in ("role", "stage") if fact.get(kind))


def stored_rows(
    facts: Iterable[Event],
    time_of: Callable[[Event], datetime],
    lexicon: Lexicon | None = None,
    conversations_of: Callable[[str], Collection[str]] = lambda community: (),
) -> dict[tuple[Any, ...], tuple[int, datetime, datetime]]:
    """Rows of the table: (community, hour, kind, ref, member, actor kind) -> (events, first, last).

    `conversations_of` gives those that rituals of a community name.
    """
    times: dict[tuple[Any, ...], list[datetime]] = defaultdict(list)
    for fact in facts:
        at = time_of(fact)
        hour = at.replace(minute=0, second=0, microsecond=0)
        found = list(signs(fact, lexicon or {}))
        if fact["type"] == "message" and fact.get("conversation_id") in conversations_of(fact["community_id"]):
            found.append(("conversation", f"{at.minute:02} {fact['conversation_id']}"))
        for sign in found:
            who = (fact["member_id"], fact.get("actor_kind", "human"))
            times[fact["community_id"], hour, *sign, *who].append(at)
    return {key: (len(ats), min(ats), max(ats)) for key, ats in times.items()}
