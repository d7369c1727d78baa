"""Cost of reading one record: the fast decoder, its slow path, pydantic and orjson, over realistic records.

Run with `python benchmarks/decode.py`. Each way reads the same records in turn, several times; the best round counts,
in processor time, and ratios are within this one run, because the machine's speed is anybody's guess.
"""

import random
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import orjson

from streams.topics import Event, by_name, parse
from streams.topics.cloudevents import binary_headers
from streams.topics.decode import Decoder

ROUNDS = 7
WORDS = (
    "the",
    "raincape",
    "is",
    "light",
    "enough",
    "for",
    "a",
    "night",
    "ride",
    "通勤",
    "雨衣",
    "推荐",
    "太",
    "闷",
    "了",
)


def events(family: str, count: int, seed: int = 7) -> Iterator[dict[str, Any]]:
    """Made-up events of the length real ones have: a message's JSON is about 230 bytes."""
    draw = random.Random(seed)
    start = datetime(2026, 3, 1, tzinfo=UTC)
    for i in range(count):
        event: dict[str, Any] = {
            "event_id": f"evt-{i:012d}",
            "type": family,
            "platform": draw.choice(["discord", "wecom", "discourse"]),
            "community_id": f"c{draw.randrange(200)}",
            "member_id": f"m{draw.randrange(20_000)}",
            "occurred_at": (start + timedelta(milliseconds=i * 37)).isoformat(timespec="milliseconds"),
        }
        if family == "message":
            event |= {"text": " ".join(draw.choices(WORDS, k=draw.randint(2, 14))), "conversation_id": "general"}
            if draw.random() < 0.5:
                event["language"] = draw.choice(["en", "zh", "zh-Hant-TW"])
            if draw.random() < 0.2:
                event |= {"reply_to": f"evt-{draw.randrange(i + 1):012d}", "mentions": [f"m{draw.randrange(20_000)}"]}
        if family == "order":
            lines = [{"product_id": f"p{draw.randrange(500)}", "quantity": draw.randint(1, 3), "unit_price": "64.50"}]
            event |= {"order_id": f"o-{i}", "status": "paid", "amount": "129.00", "currency": "CNY", "items": lines}
        yield event


def best_us(ways: dict[str, Callable[[], object]], count: int) -> dict[str, float]:
    """Microseconds a record of each way, interleaved so that a busy machine hits all of them."""
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(ROUNDS):
        for name, way in ways.items():
            start = time.process_time()
            way()
            best[name] = min(best[name], (time.process_time() - start) / count * 1e6)
    return best


def report(family: str, count: int) -> None:
    stated = list(events(family, count))
    values: list[bytes | None] = [msgspec.json.encode(event) for event in stated]
    unknown: list[bytes | None] = [msgspec.json.encode(event | {"client": "ios"}) for event in stated]
    data: list[bytes | None] = [
        msgspec.json.encode({name: value for name, value in event.items() if name not in Event.model_fields})
        for event in stated
    ]
    headers = [binary_headers(parse(event)) for event in stated]
    decoder, model = Decoder(by_name[family]), by_name[family].model
    best = best_us(
        {
            "decode_batch": lambda: decoder.decode_batch(values),
            "decode_batch, ce_ headers beside": lambda: decoder.decode_batch(values, headers),
            "decode, one by one": lambda: [decoder.decode(value) for value in values],
            "decode_batch, CloudEvents binary mode": lambda: decoder.decode_batch(data, headers),
            "decode_batch, an unknown field in each": lambda: decoder.decode_batch(unknown),
            "pydantic validate_json": lambda: [model.model_validate_json(value) for value in values if value],
            "orjson.loads (checks nothing)": lambda: [orjson.loads(value) for value in values if value],
        },
        count,
    )
    size = sum(len(value) for value in values if value) / count
    print(f"\n{family}: {count:,} records of {size:.0f} bytes on average")
    for name, cost in best.items():
        print(f"  {name:42}{cost:8.2f} us  {cost / best['decode_batch']:6.1f} x")


if __name__ == "__main__":
    report("message", 20_000)
    report("order", 20_000)
