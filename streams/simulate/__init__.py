"""Seeded communities that live on paper: the input of the demo, the benchmark and the crash tests.

Pure: the seed is the only source of chance, times are arguments.
"""

from __future__ import annotations

from streams.simulate.communities import PRESETS, Community, Ritual, communities_of
from streams.simulate.faults import Broken, Drop, inject
from streams.simulate.stream import simulate

__all__ = ["PRESETS", "Broken", "Community", "Drop", "Ritual", "communities_of", "inject", "simulate"]
