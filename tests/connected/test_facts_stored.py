"""Every example of the contract as it is stored: each field in its column, exactly."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pipeline import Lab, Log
from settled import deliver

pytestmark = pytest.mark.connected

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
RECEIVED_MS = int(datetime(2026, 3, 8, tzinfo=UTC).timestamp() * 1000)

# Written out here, not taken from the code: contract field -> column.
RENAMED = {("order", "kind"): "order_kind", ("order", "status"): "order_status"}
KNOWN = re.findall(
    r"\w+",
    "event_id type platform community_id member_id occurred_at schema_version actor_kind sent_at text conversation_id "
    "reply_to mentions language target_id reaction action ritual place mode order_id kind status amount currency items "
    "product_id demand_id rating inviter_id invitee_id role stage reason linked_platform linked_account_id "
    "target_member_id flagged_kind",
)
DEFAULTS = {"reaction": {"action": "add"}, "check_in": {"mode": "offline"}, "order": {"order_kind": "standard"}}


def moment(text: str) -> datetime:
    """RFC 3339 cut off at the millisecond."""
    text = re.sub(r"(\.\d{3})\d+", r"\1", text.upper().replace("Z", "+00:00"))
    return datetime.fromisoformat(text).astimezone(UTC)


def expected_columns(event: dict[str, Any]) -> dict[str, Any]:
    family = event["type"]
    columns: dict[str, Any] = {"actor_kind": "human", "schema_version": 1, "extra": ""} | DEFAULTS.get(family, {})
    unknown = {}
    for field, value in event.items():
        column = RENAMED.get((family, field), field)
        if field not in KNOWN or (field == "extra"):
            unknown[field] = value
        elif value is None:
            continue
        elif field in ("occurred_at", "sent_at"):
            columns[column] = moment(value)
        elif field == "amount":
            columns[column] = Decimal(value)
        elif field == "items":
            columns["item_product_id"] = [item["product_id"] for item in value]
            columns["item_quantity"] = [item["quantity"] for item in value]
            columns["item_unit_price"] = [Decimal(item.get("unit_price") or 0) for item in value]
        else:
            columns[column] = value
    at = columns["occurred_at"]
    return columns | {
        "event_time": at,
        "clock_skewed": 0,
        "received_at": datetime.fromtimestamp(RECEIVED_MS / 1000, UTC),
        "unknown": unknown,
    }


def examples() -> list[Path]:
    return sorted(path for path in EXAMPLES.glob("*/*.json"))


@pytest.fixture(scope="module")
def stored(lab: Lab) -> dict[tuple[str, str], dict[str, Any]]:
    """Community -> row as stored, before corrections, for all examples, each in a community of its own."""
    log = Log(partitions=2)
    for path in examples():
        event = json.loads(path.read_text()) | {"community_id": str(path.relative_to(EXAMPLES))}
        log.append(lab.topic(path.parent.name), b"k", json.dumps(event).encode(), RECEIVED_MS)
    lab.drain(log)
    assert [] == [(letter.value, letter.headers) for letter in log.of(lab.dead_letter_topic)]
    rows = lab.warehouse.query("SELECT * EXCEPT (event_key, version, is_deleted) FROM {store}.events FINAL")
    return {row["community_id"]: row for row in rows}


@pytest.mark.parametrize("path", examples(), ids=lambda path: str(path.relative_to(EXAMPLES)))
def test_an_example_is_stored_field_by_field(stored: dict[str, dict[str, Any]], path: Path) -> None:
    name = str(path.relative_to(EXAMPLES))
    row = stored[name]
    expected = expected_columns(json.loads(path.read_text()) | {"community_id": name})
    unknown = expected.pop("unknown")
    extra = json.loads(row["extra"]) if row["extra"] else {}
    kept = {field: value for field, value in extra.items() if field != "items"}
    assert {field: value for field, value in unknown.items() if value is not None} == {
        field: value for field, value in kept.items() if value is not None
    }
    del expected["extra"]
    assert expected == {column: row[column] for column in expected}
    # Every other column says nothing: no field of another family, no left-over of another row.
    said = {*expected, "extra", "minute", "ingested_at", "topic", "partition", "offset"}
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    empty = {column: value for column, value in row.items() if column not in said and value not in ("", [], 0, epoch)}
    assert {} == empty


def test_every_example_is_one_fact(stored: dict[str, dict[str, Any]]) -> None:
    assert len(examples()) == len(stored)


def test_members_that_an_event_names_are_persons(lab: Lab) -> None:
    """anna and ann are one on the forum; anna of the shop is somebody else. Nobody knows cy."""
    community = f"{lab.world()}names"
    base = {"platform": "forum", "community_id": community, "occurred_at": "2026-03-02T00:00:30Z"}
    link = {"action": "link", "linked_platform": "forum", "linked_account_id": "anna"}
    joins = {"type": "membership", "action": "invite", "inviter_id": "anna", "invitee_id": "cy"}
    deliver(
        lab,
        [
            base | {"event_id": "1", "type": "identity", "member_id": "ann", **link},
            base | {"event_id": "2", "member_id": "anna", **joins},
            base | {"event_id": "3", "member_id": "cy", **joins, "inviter_id": "cy", "invitee_id": "anna"},
            base | {"event_id": "4", "member_id": "cy", **joins, "platform": "shop"},
            base
            | {"event_id": "5", "member_id": "cy", "type": "message", "text": "", "mentions": ["anna", "cy", "ann"]},
            base
            | {"event_id": "6", "member_id": "mo", "type": "moderation", "action": "flag", "target_member_id": "anna"},
        ],
    )
    assert [
        ("2", "ann", "anna", "ann", "cy", [], ""),
        ("3", "cy", "cy", "cy", "ann", [], ""),
        ("4", "cy", "cy", "anna", "cy", [], ""),
        ("5", "cy", "cy", "", "", ["ann", "cy", "ann"], ""),
        ("6", "mo", "mo", "", "", [], "ann"),
    ] == lab.warehouse.rows(
        "SELECT event_id, member_id, account_id, inviter_id, invitee_id, mentions, target_member_id "
        f"FROM {{db}}.events WHERE community_id = '{community}' AND event_id != '1' ORDER BY event_id"
    )
