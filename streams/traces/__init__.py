"""Public data of real communities as contract events, for `streams replay` and for tests against real input.

Author ids are hashed when they are read. No row of the data is part of this project.
"""

from __future__ import annotations

from streams.traces.chat import GITTER, IRC, WIKIPEDIA
from streams.traces.forum import BICYCLES
from streams.traces.places import GOWALLA
from streams.traces.shops import CDNOW, OLIST
from streams.traces.trace import Trace, TraceMissing

__all__ = ["TRACES", "Trace", "TraceMissing"]

TRACES: dict[str, Trace] = {trace.name: trace for trace in (IRC, GOWALLA, BICYCLES, CDNOW, WIKIPEDIA, GITTER, OLIST)}
