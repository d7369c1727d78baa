"""The envelope every event carries, and the string types its families are written with."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, FailFast, Field, model_validator

from streams.topics.instant import EPOCH, Instant

SCHEMA_VERSION = 1
"""The only version of the contract there is."""

NO_NUL = r"^[^\x00]*$"
"""No string may hold NUL: it ends texts early in too many of the programs that read the warehouse."""


class FewValues:
    """Marks a string with a pattern that takes few distinct values, so that a batch checks each value only once."""


FEW_VALUES: Final = FewValues()

Id = Annotated[str, Field(min_length=1, max_length=128, pattern=NO_NUL)]
OptionalId = Annotated[str, Field(max_length=128, pattern=NO_NUL)]
Name = Annotated[str, Field(min_length=1, max_length=64, pattern=NO_NUL)]
OptionalName = Annotated[str, Field(max_length=64, pattern=NO_NUL)]
Phrase = Annotated[str, Field(max_length=1024, pattern=NO_NUL)]
LongText = Annotated[str, Field(max_length=65536, pattern=NO_NUL)]
# A list is taken as a tuple, and is given up at its first fault: a hostile record may hold half a million of them.
LISTED: Final = (Field(strict=False), FailFast())
ActorKind = Literal["human", "bot", "staff", "test"]


class Contract(BaseModel):
    """What all models of the contract share: strict types, frozen values, unknown fields kept."""

    model_config = ConfigDict(strict=True, frozen=True, extra="allow", regex_engine="rust-regex")

    @model_validator(mode="before")
    @classmethod
    def null_is_absent(cls, data: Any) -> Any:
        """Many publishers write `null` for what they do not know: an optional field may be null, a required one not."""
        if isinstance(data, dict) and None in data.values():
            fields = cls.model_fields
            return {k: v for k, v in data.items() if v is not None or k not in fields or fields[k].is_required()}
        return data


class Event(Contract):
    """The envelope: who did something, where and when. Family fields stand beside it in one flat JSON object."""

    event_id: Id = Field(description="The publisher's id of the event, unique within the community")
    type: Name = Field(description="Family of the event")
    platform: Name = Field(description="Platform that published the event")
    community_id: Id = Field(description="Community in which it happened")
    member_id: Id = Field(
        description="Member who acted. Ids are the community's: the same id on two platforms is the same person, "
        "unless links say otherwise. A platform whose ids mean other people prefixes them"
    )
    occurred_at: Instant = Field(description="When it happened: RFC 3339 with a zone")
    schema_version: int = Field(SCHEMA_VERSION, ge=1, le=SCHEMA_VERSION, description="Version of the contract")
    actor_kind: ActorKind = Field("human", description="What kind of actor the member is")
    sent_at: Instant = Field(
        EPOCH,
        description="When the publisher sent it; among versions of one event the greatest wins. 1970 when not stated",
    )

    @property
    def key(self) -> bytes:
        """Kafka key: one member's events stay in order, on one partition."""
        return f"{self.community_id}/{self.member_id}".encode()

    def to_json(self) -> bytes:
        """The event as the JSON that is published: what the publisher stated, unknown fields included, no defaults."""
        return self.model_dump_json(exclude_unset=True).encode()
