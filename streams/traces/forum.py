"""A forum: posts, comments, votes and users of the bicycles meta site of Stack Exchange."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from streams.traces.trace import Event, Trace, clean, pseudonym, rows

NAME = "stackexchange_bicycles_meta"
ANONYMOUS = "anonymous"
SYSTEM_USER = "-1"  # the site's own account, which owns edits of tag pages
VOTES = {  # https://meta.stackexchange.com/questions/2677, table Votes
    "1": "accepted",
    "2": "up",
    "3": "down",
    "4": "offensive",
    "5": "favourite",
    "6": "close",
    "7": "reopen",
    "10": "delete",
    "11": "undelete",
    "12": "spam",
    "15": "moderator_review",
    "16": "approve_edit",
}


def read(folder: Path) -> Iterator[Event]:
    """The four tables in turn. Their ids tell events apart: post-1, comment-1, vote-1, user-1.

    Whoever has no id (all voters, some authors) is the one member "anonymous". Votes have dates only: midnight UTC.
    """
    member = cache(lambda user: pseudonym(NAME, user) if user else ANONYMOUS)

    def event(event_id: str, family: str, user: str, occurred_at: str) -> Event:
        envelope: Event = {
            "event_id": event_id,
            "type": family,
            "platform": "stackexchange",
            "community_id": "bicycles-meta",
            "member_id": member(user),
            "occurred_at": occurred_at,
        }
        if user == SYSTEM_USER:
            envelope["actor_kind"] = "bot"
        return envelope

    for row in rows(folder / "users.csv.gz"):
        yield event(f"user-{row['id']}", "membership", row["id"], row["ts_utc"]) | {"action": "join"}

    threads: dict[str, str] = {}
    for row in rows(folder / "posts.csv.gz"):
        threads[row["id"]] = thread = row["parent"] or row["id"]
        post = event(f"post-{row['id']}", "message", row["user"], row["ts_utc"])
        post["text"] = clean("\n\n".join(part for part in (row["title"], row["text"]) if part))
        post["conversation_id"] = f"post-{thread}"
        if row["parent"]:
            post["reply_to"] = f"post-{row['parent']}"
        yield post

    for row in rows(folder / "comments.csv.gz"):
        yield event(f"comment-{row['id']}", "message", row["user"], row["ts_utc"]) | {
            "text": clean(row["text"]),
            "conversation_id": f"post-{threads.get(row['post'], row['post'])}",
            "reply_to": f"post-{row['post']}",
        }

    for row in rows(folder / "votes.csv.gz"):
        yield event(f"vote-{row['id']}", "reaction", row["user"], f"{row['date']}T00:00:00.000Z") | {
            "target_id": f"post-{row['post']}",
            "reaction": VOTES.get(row["vote_type"], f"vote_{row['vote_type']}"),
        }


BICYCLES = Trace(
    NAME,
    NAME,
    "bicycles-meta",
    "stackexchange",
    "posts and comments -> message, votes -> reaction by the member 'anonymous', users -> membership join; "
    "told apart by the ids of the tables",
    read,
)
