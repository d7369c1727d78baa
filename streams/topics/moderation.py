"""Moderation: what is hidden, restored, flagged or erased."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import Field

from streams.topics.event import Event, OptionalId, Phrase
from streams.topics.family import Family


class Moderation(Event):
    """Someone (`member_id`) moderated an event or a member."""

    type: Literal["moderation"] = Field(description="Family of the event")
    action: Literal["hide", "restore", "flag", "erase"] = Field(
        description="What is done; erase is for ever, and takes every account that is the member's at that time"
    )
    target_id: OptionalId = Field("", description="event_id of what is hidden, restored or erased")
    target_member_id: OptionalId = Field(
        "", description="Member who is hidden, restored, flagged or erased; with a target_id only a flag is about them"
    )
    flagged_kind: Literal["", "human", "bot", "staff", "test"] = Field(
        "", description="flag: the actor kind of all events of the member; empty takes the flag back"
    )
    reason: Phrase = Field("", description="Why")


# An erasure must outlive every event it is about, or a replay would bring the person back.
FAMILY = Family("moderation", Moderation, "moderation.v1", retention=timedelta(days=3650), partitions=1, building=True)
