"""Chats: an IRC channel, three Gitter rooms, and the edits of one day of Wikipedia."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from streams.traces.trace import Event, Trace, TraceMissing, clean, pseudonym, rows

ADDRESSED = re.compile(r"([A-Za-z0-9_\-\[\]\\^{}|`]+)[:,] ")
IRC_BOTS = frozenset(
    {"kompewter", "DuraLogBotTest", "DSpaceSlackBot", "DSpaceSlackBot1", "DSpaceSlackBot2", "DSpaceSlackBot3"}
)
LONGEST_ID = 128  # of the contract; a few titles are longer
GITTER_BOTS = frozenset({"matrixbot"})


def read_irc(folder: Path) -> Iterator[Event]:
    """Rows of `events.csv.gz`; minutes only, so the row number tells equal rows apart: they are distinct facts."""
    name = "irc_duraspace"
    member = cache(lambda nick: pseudonym(name, nick))
    seen: set[str] = set()
    for number, row in enumerate(rows(folder / "events.csv.gz"), 1):
        actor, kind, text = row["actor"], row["event"], row["text"]
        seen.add(actor)
        event: Event = {
            "event_id": f"irc-{number}",
            "type": "message",
            "platform": "irc",
            "community_id": "duraspace",
            "member_id": member(actor),
            "occurred_at": row["ts_utc"],
        }
        if actor in IRC_BOTS:
            event["actor_kind"] = "bot"
        if kind in ("message", "action"):
            event |= {"text": clean(text), "conversation_id": "#duraspace"}
            if kind == "action":
                event["style"] = "action"  # "/me grins"; not in the contract, kept as an extra field
            addressed = ADDRESSED.match(text)
            if addressed and addressed[1] in seen:
                event["mentions"] = [member(addressed[1])]
        elif kind == "join":
            event |= {"type": "membership", "action": "join"}
        elif kind in ("part", "quit"):
            event |= {"type": "membership", "action": "leave", "reason": kind}
        elif kind == "nick":
            seen.add(text)
            event |= {"type": "identity", "action": "link", "linked_platform": "irc", "linked_account_id": member(text)}
        else:
            raise ValueError(f"row {number} of {folder} has an unknown event {kind!r}")
        yield event


def read_gitter(folder: Path) -> Iterator[Event]:
    """Rows of `messages.csv.gz`, a community a room; equal rows (42) are distinct facts, told apart by row number."""
    name = "gitter_livechat"
    member = cache(lambda user: pseudonym(name, user))
    for number, row in enumerate(rows(folder / "messages.csv.gz"), 1):
        event: Event = {
            "event_id": f"gitter-{number}",
            "type": "message",
            "platform": "gitter",
            "community_id": f"gitter-{row['community']}",
            "member_id": member(row["user"]),
            "occurred_at": row["ts_utc"],
            "text": clean(row["text"]),
        }
        if row["user"] in GITTER_BOTS:
            event["actor_kind"] = "bot"
        yield event


def read_wikipedia(folder: Path) -> Iterator[Event]:
    """Lines of `edits.jsonl.gz`, a community a language; the line number is the id. Places of editors are dropped."""
    name = "wikiticker"
    member = cache(lambda user: pseudonym(name, user))
    file = folder / "edits.jsonl.gz"
    if not file.is_file():
        raise TraceMissing(f"{file} does not exist. Its folder's PROVENANCE.md says where the file comes from")
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            edit = json.loads(line)
            page = clean(f"{edit['namespace']}/{edit['page']}")
            event: Event = {
                "event_id": f"edit-{number}",
                "type": "message",
                "platform": "wikipedia",
                "community_id": f"wiki-{edit['channel'].lstrip('#')}",
                "member_id": member(edit["user"]),
                "occurred_at": edit["time"],
                "text": clean(edit["comment"]),
                "conversation_id": page if len(page) <= LONGEST_ID else f"page-{pseudonym(name, page)}",
            }
            if edit["isRobot"]:
                event["actor_kind"] = "bot"
            yield event


IRC = Trace(
    "irc_duraspace",
    "irc_duraspace",
    "duraspace",
    "irc",
    "message and action -> message, join -> membership join, part and quit -> membership leave, nick -> identity link; "
    "every row is a fact of its own (row number)",
    read_irc,
)
GITTER = Trace(
    "gitter_livechat",
    "gitter_livechat",
    "gitter-",
    "gitter",
    "three rooms -> message in three communities; every row is a fact of its own (row number)",
    read_gitter,
)
WIKIPEDIA = Trace(
    "wikiticker",
    "wikiticker",
    "wiki-",
    "wikipedia",
    "edits -> message in 51 communities; every line is a fact of its own (line number)",
    read_wikipedia,
)
