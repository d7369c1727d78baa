"""Community events from Kafka through Faust into ClickHouse: facts are appended, numbers are recomputed from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from streams.publisher import Publisher

__all__ = ["Publisher"]


def __getattr__(name: str) -> Any:
    """`streams.Publisher` brings a Kafka client with it: only who asks for it pays."""
    if name == "Publisher":
        from streams.publisher import Publisher

        return Publisher
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
