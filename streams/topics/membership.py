"""Memberships: who joins, leaves, invites."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import Field

from streams.topics.event import Event, OptionalId, OptionalName, Phrase
from streams.topics.family import Family


class Membership(Event):
    """A member joined, left, or invited someone."""

    type: Literal["membership"] = Field(description="Family of the event")
    action: Literal["join", "leave", "invite"] = Field(description="What the member did")
    inviter_id: OptionalId = Field("", description="Member who invited the one who joins")
    invitee_id: OptionalId = Field("", description="Whom the member invited")
    role: OptionalName = Field("", description="Role in the community")
    stage: OptionalName = Field("", description="Stage of the member, as the platform names it")
    reason: Phrase = Field("", description="Why")


FAMILY = Family("membership", Membership, "memberships.v1", retention=timedelta(days=365))
