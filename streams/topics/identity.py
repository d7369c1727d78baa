"""Identity: accounts of other platforms that are the same person."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import Field

from streams.topics.event import Event, Id, Name
from streams.topics.family import Family


class Identity(Event):
    """An account of another platform was linked to the member, or unlinked."""

    type: Literal["identity"] = Field(description="Family of the event")
    action: Literal["link", "unlink"] = Field(
        description="Whether the accounts are the same person, for all their events"
    )
    linked_platform: Name = Field(description="Platform of the other account")
    linked_account_id: Id = Field(description="The other account, as its platform names it")


# A replay of old events must meet the links that were made since, so they outlive every other family.
FAMILY = Family("identity", Identity, "identity.v1", retention=timedelta(days=3650), partitions=1)
