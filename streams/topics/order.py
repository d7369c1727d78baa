"""Orders: each step of an order's life is one event."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from streams.topics.event import FEW_VALUES, LISTED, Contract, Event, Id, OptionalId
from streams.topics.family import Family

Amount = Annotated[str, Field(max_length=19, pattern=r"^(0|[1-9][0-9]{0,13})(\.[0-9]{1,4})?$")]
OptionalAmount = Annotated[str, Field(max_length=19, pattern=r"^((0|[1-9][0-9]{0,13})(\.[0-9]{1,4})?)?$")]
Currency = Annotated[str, Field(max_length=3, pattern=r"^[A-Z]{3}$"), FEW_VALUES]


class Item(Contract):
    """One line of an order."""

    product_id: Id = Field(description="What was ordered")
    quantity: int = Field(ge=1, le=4_294_967_295, description="How many")
    unit_price: OptionalAmount = Field(
        "", description="Price of one, in the order's currency: a decimal text with at most 4 decimals"
    )


class Order(Event):
    """An order was placed or moved on.

    Money is a decimal text, never a JSON number: a float cannot hold cents. The decoder keeps the text as it is.
    """

    type: Literal["order"] = Field(description="Family of the event")
    order_id: Id = Field(description="Order this event is a step of")
    kind: Literal["standard", "presale", "group_buy"] = Field("standard", description="How it is sold")
    status: Literal["placed", "deposit_paid", "paid", "fulfilled", "cancelled", "refunded"] = Field(
        description="The step that was reached"
    )
    amount: Amount = Field(
        description="Money of this step, not negative, below 10^14: a decimal text with at most 4 decimals"
    )
    currency: Currency = Field(description="ISO 4217 code of the amount and the prices")
    items: Annotated[tuple[Annotated[Item, Field(strict=False)], ...], *LISTED] = Field(
        (), max_length=1000, description="Lines of the order"
    )
    product_id: OptionalId = Field("", description="Product, for an order of one")
    demand_id: OptionalId = Field("", description="Demand the order answers")


FAMILY = Family(
    "order",
    Order,
    "orders.v1",
    retention=timedelta(days=365),
    engaged=True,
    renamed={
        "kind": "order_kind",
        "status": "order_status",
        "items.product_id": "item_product_id",
        "items.quantity": "item_quantity",
        "items.unit_price": "item_unit_price",
    },
)
