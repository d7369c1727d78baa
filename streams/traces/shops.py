"""Shops: purchases of CDNOW, and orders of Olist with the steps of their life."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from streams.traces.trace import Event, Trace, pseudonym, rows

CENT = Decimal("0.01")
BRAZIL = ZoneInfo("America/Sao_Paulo")


def read_cdnow(folder: Path) -> Iterator[Event]:
    """Rows of `transactions.csv.gz`; dates only: midnight UTC.

    The file lists every purchase and has no order number. Rows of one customer-day are distinct purchases, equal ones
    (255 repeat an earlier row) too: the published number of transactions, 69,659, counts them. The id is the
    customer, the date and the running number within them.
    """
    name = "orders_cdnow"
    member = cache(lambda customer: pseudonym(name, customer))
    purchases: Counter[tuple[str, str]] = Counter()
    for row in rows(folder / "transactions.csv.gz"):
        customer, date = row["customer"], row["date"]
        purchases[customer, date] += 1
        order_id = f"cdnow-{member(customer)}-{date}-{purchases[customer, date]}"
        yield {
            "event_id": order_id,
            "type": "order",
            "platform": "cdnow",
            "community_id": "cdnow",
            "member_id": member(customer),
            "occurred_at": f"{date[:4]}-{date[4:6]}-{date[6:]}T00:00:00Z",
            "order_id": order_id,
            "kind": "standard",
            "status": "paid",
            "amount": _money(row["dollars"]),
            "currency": "USD",
            "items": [{"product_id": "cd", "quantity": int(row["cds"])}],
        }


def read_olist(folder: Path) -> Iterator[Event]:
    """Orders of `orders.csv.gz`, an event a step: placed, paid, fulfilled, cancelled; the id is order and step.

    Times are local to Brazil. When an order was cancelled (or found unavailable) is not in the data: the step carries
    the time of the latest known one and the extra field `time_unknown`. Amounts are items plus freight; 111 orders
    have no items and amount to 0.00. Steps between payment and delivery are not in the contract.
    """
    name = "orders_olist10k"
    people = {row["customer_id"]: row["customer_unique_id"] for row in rows(folder / "customers.csv.gz")}
    items: dict[str, list[Event]] = defaultdict(list)
    amounts: dict[str, Decimal] = defaultdict(Decimal)
    for row in rows(folder / "order_items.csv.gz"):
        item = {"product_id": row["product_id"], "quantity": 1, "unit_price": _money(row["price"])}
        items[row["order_id"]].append(item)
        amounts[row["order_id"]] += Decimal(row["price"]) + Decimal(row["freight_value"])
    for row in rows(folder / "orders.csv.gz"):
        order_id = row["order_id"]
        steps = {
            "placed": row["order_purchase_timestamp"],
            "paid": row["order_approved_at"],
            "fulfilled": row["order_delivered_customer_date"],
        }
        latest = max(time for time in steps.values() if time)
        if row["order_status"] in ("canceled", "unavailable"):
            steps["cancelled"] = latest
        for status, time in steps.items():
            if not time:
                continue
            event: Event = {
                "event_id": f"{order_id}-{status}",
                "type": "order",
                "platform": "olist",
                "community_id": "olist",
                "member_id": pseudonym(name, people.get(row["customer_id"], row["customer_id"])),
                "occurred_at": _brazil(time),
                "order_id": order_id,
                "kind": "standard",
                "status": status,
                "amount": _money(str(amounts[order_id])),
                "currency": "BRL",
                "items": items[order_id],
            }
            if status == "cancelled":
                event |= {"time_unknown": True, "reason_stated": row["order_status"]}
            yield event


def _money(text: str) -> str:
    """Exact to the cent; more digits than that would be an error of the source."""
    amount = Decimal(text)
    cents = amount.quantize(CENT)
    if cents != amount:
        raise ValueError(f"{text} is not a whole number of cents")
    return str(cents)


def _brazil(time: str) -> str:
    local = datetime.fromisoformat(time).replace(tzinfo=BRAZIL)
    return local.astimezone(UTC).isoformat().replace("+00:00", "Z")


CDNOW = Trace(
    "orders_cdnow",
    "orders_cdnow",
    "cdnow",
    "cdnow",
    "purchases -> order paid at midnight UTC of their day; every row is a fact of its own (running number of the "
    "customer's day)",
    read_cdnow,
)
OLIST = Trace(
    "orders_olist10k",
    "orders_olist10k",
    "olist",
    "olist",
    "orders -> order placed, paid, fulfilled or cancelled; told apart by order and step",
    read_olist,
)
