"""Reactions: a member's one-click answer to an event."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import Field

from streams.topics.event import Event, Id, Name
from streams.topics.family import Family


class Reaction(Event):
    """A member put a reaction on an event, or took it back."""

    type: Literal["reaction"] = Field(description="Family of the event")
    target_id: Id = Field(description="event_id of what was reacted to")
    reaction: Name = Field(description="Emoji or name of the reaction")
    action: Literal["add", "remove"] = Field("add", description="Whether the reaction was put or taken back")


FAMILY = Family("reaction", Reaction, "reactions.v1", retention=timedelta(days=30), engaged=True)
