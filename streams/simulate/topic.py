"""What a simulated community talks about and sells."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True)
class Product:
    """Something a community sells; presale products answer a need that was spoken."""

    id: str
    cents: int
    presale: bool = False


@dataclass(frozen=True)
class Topic:
    """Phrases and products of one interest, in one language. `{}` in a phrase stands for one of `things`."""

    name: str
    language: str
    currency: str
    channels: tuple[str, ...]
    things: tuple[str, ...]
    chat: tuple[str, ...]
    questions: tuple[str, ...]
    answers: tuple[str, ...]
    needs: tuple[str, ...]  # spoken in passing, not asked for
    scenes: tuple[tuple[str, ...], ...]  # one need across the turns of several members
    products: tuple[Product, ...]
    reviews: tuple[tuple[int, str], ...]


ENDINGS = {"zh": ("", "", "", "～", "哈哈", "！", "😂", "👍"), "en": ("", "", "", "!", " :)", " haha", " 🙂", " 🎉")}


@cache
def phrases(patterns: tuple[str, ...], things: tuple[str, ...], language: str) -> tuple[str, ...]:
    """Every phrase of some patterns with every thing and ending."""
    return tuple(
        text[:1].upper() + text[1:] + ending
        for pattern in patterns
        for text in ([pattern.format(thing) for thing in things] if "{}" in pattern else [pattern] * 2)
        for ending in ENDINGS[language]
    )
