"""Check-ins: Gowalla in New York."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from hashlib import blake2b
from pathlib import Path

from streams.traces.trace import Event, Trace, clean, pseudonym, rows

NAME = "checkins_gowalla_nyc"


def read(folder: Path) -> Iterator[Event]:
    """Rows of `checkins.csv.gz`. The id is a hash of the whole row.

    Somebody cannot check in at the same place twice in one second, so that equal rows (6) are one event that was
    published twice: they get one id and collapse. Names of places are the field `place_name`, an extra of the contract.
    """
    member = cache(lambda user: pseudonym(NAME, user))
    names = {row["venue"]: clean(row["name"]) for row in rows(folder / "venues.csv.gz")}
    for row in rows(folder / "checkins.csv.gz"):
        content = "\0".join((row["user"], row["ts_utc"], row["lat"], row["lon"], row["venue"]))
        event: Event = {
            "event_id": f"gowalla-{blake2b(content.encode(), digest_size=12).hexdigest()}",
            "type": "check_in",
            "platform": "gowalla",
            "community_id": "gowalla-nyc",
            "member_id": member(row["user"]),
            "occurred_at": row["ts_utc"],
            "place": row["venue"],
            "mode": "offline",
        }
        if row["venue"] in names:
            event["place_name"] = names[row["venue"]]
        yield event


GOWALLA = Trace(
    NAME,
    NAME,
    "gowalla-nyc",
    "gowalla",
    "check-ins -> check_in with the venue as place; equal rows are one event published twice (hash of the row)",
    read,
)
