"""Check-ins: a member was there, at a place or at a recurring occasion."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from streams.topics.event import NO_NUL, Event, OptionalId
from streams.topics.family import Family


class CheckIn(Event):
    """A member attended."""

    type: Literal["check_in"] = Field(description="Family of the event")
    ritual: OptionalId = Field("", description="Recurring occasion the check-in belongs to")
    place: Annotated[str, Field(max_length=256, pattern=NO_NUL)] = Field("", description="Where it took place")
    mode: Literal["online", "offline"] = Field("offline", description="Whether the member came in person")


FAMILY = Family("check_in", CheckIn, "check_ins.v1", retention=timedelta(days=90), engaged=True)
