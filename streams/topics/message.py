"""Messages: what members write to each other."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from streams.topics.event import FEW_VALUES, LISTED, Event, Id, LongText, OptionalId
from streams.topics.family import Family

Language = Annotated[str, Field(max_length=35, pattern=r"^([A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*)?$"), FEW_VALUES]


class Message(Event):
    """A member wrote something."""

    type: Literal["message"] = Field(description="Family of the event")
    text: LongText = Field(description="What was written; empty for a picture without words")
    conversation_id: OptionalId = Field("", description="Thread, channel or topic it was written in")
    reply_to: OptionalId = Field("", description="event_id of the message this one answers")
    mentions: Annotated[tuple[Id, ...], *LISTED] = Field(
        (), max_length=1000, description="member_ids mentioned in the text"
    )
    language: Language = Field("", description="BCP 47 tag of the text, when the platform knows it")


FAMILY = Family("message", Message, "messages.v1", retention=timedelta(days=30), engaged=True, contributing=True)
