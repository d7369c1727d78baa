"""What every number means: each metric written down once; comments, documents and the command are made from it.

A file a topic: its `METRICS`, and its `RELATIONS` where it has views without a metric of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from streams.catalog import activity, belonging, communities, connection, ladder, pipeline, rituals, ties
from streams.catalog.columns import COLUMNS
from streams.catalog.metric import Metric, Relation

ALL: tuple[Metric, ...] = (
    *activity.METRICS,
    *connection.METRICS,
    *rituals.METRICS,
    *ties.METRICS,
    *ladder.METRICS,
    *belonging.METRICS,
)
"""Every metric there is."""

RELATIONS: tuple[Relation, ...] = (
    *pipeline.RELATIONS,
    *communities.RELATIONS,
    *connection.RELATIONS,
    *ties.RELATIONS,
    *ladder.RELATIONS,
    *rituals.RELATIONS,
    *belonging.RELATIONS,
)
"""Every view that holds no metric of its own."""

by_name: Mapping[str, Metric] = MappingProxyType({metric.name: metric for metric in ALL})
"""Metric by its name."""

__all__ = ["ALL", "COLUMNS", "RELATIONS", "Metric", "Relation", "by_name"]
