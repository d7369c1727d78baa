"""What a family of events is: its model, its topic, and how members who publish it count."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from types import MappingProxyType

from streams.topics.event import Event

HOSTING = "hosting"
"""What the check-in of a host at a declared ritual counts as: engaged and contributing, unlike any other check-in.

A family in every number, but not in the contract: who hosts is said by the settings of communities (`sql/facts.sql`).
"""


@dataclass(frozen=True)
class Family:
    """One family of events, which is one Kafka topic.

    `partitions` None means the number in the settings. `engaged`: an event of it makes its member engaged (wrote,
    reacted, checked in, ordered, reviewed). `contributing`: it makes its member a contributor (wrote, reviewed; or
    hosted: see `HOSTING`).
    `building`: with it a member builds the community beside its hosts (reviewed a product, moderated).
    `renamed` names the columns that are not called as their field is.
    """

    name: str
    model: type[Event]
    suffix: str
    retention: timedelta
    engaged: bool = False
    contributing: bool = False
    building: bool = False
    partitions: int | None = None
    renamed: Mapping[str, str] = field(default_factory=dict)

    def topic(self, prefix: str) -> str:
        """Name of the family's topic, with the prefix of the settings: `community.messages.v1`."""
        return prefix + self.suffix

    @cached_property
    def columns(self) -> Mapping[str, str]:
        """Contract field (dotted for fields of list elements) -> column of the events table."""
        names = {
            name: name for name in self.model.model_fields if not any(k.startswith(name + ".") for k in self.renamed)
        }
        return MappingProxyType(names | dict(self.renamed))
