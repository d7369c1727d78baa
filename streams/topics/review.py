"""Reviews: what a member thinks of a product."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import Field

from streams.topics.event import Event, Id, LongText, OptionalId
from streams.topics.family import Family


class Review(Event):
    """A member rated a product."""

    type: Literal["review"] = Field(description="Family of the event")
    product_id: Id = Field(description="Product that was reviewed")
    rating: float = Field(ge=1, le=5, description="From 1, worst, to 5, best")
    text: LongText = Field("", description="What was written")
    order_id: OptionalId = Field("", description="Order with which the product came")


FAMILY = Family(
    "review", Review, "reviews.v1", retention=timedelta(days=365), engaged=True, contributing=True, building=True
)
