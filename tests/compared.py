"""Views held against their oracles: every row, every column, and which views had rows at all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from math import isclose
from typing import Any

from oracle import Event, event_time, fold
from oracles.corrections import Community as Corrections
from oracles.corrections import corrected
from oracles.views import Place, Said, View

from streams.clickhouse import Warehouse
from streams.communities.rows import TABLES
from streams.communities.settings import Community

Settings = Mapping[str, Mapping[str, Any]]
"""Community -> its settings, as a settings file holds them."""


def declare(warehouse: Warehouse, settings: Settings) -> None:
    """Store settings of communities, before anything happens in them."""
    said = {community: Community.model_validate(own) for community, own in settings.items()}
    for table in TABLES:
        warehouse.insert(f"{{store}}.{table.name}", table.filled(said, 1))


def come_to(warehouse: Warehouse, moment: datetime) -> None:
    """Let the pipeline have come so far, and no further: the tests of a file share how far it has come."""
    warehouse.command("TRUNCATE TABLE {store}.progress")
    warehouse.command(
        "INSERT INTO {store}.progress (topic, partition, watermark, offset, lag, updated_at) "
        "VALUES ('any', 0, {at:String}, 1, 0, now64(3))",
        {"at": f"{moment:%F %T}.000"},
    )


def places(events: Iterable[Event], settings: Settings, at: datetime) -> list[Place]:
    """The communities of some events, and those that have settings alone."""
    published: dict[str, list[Event]] = {community: [] for community in settings}
    for fact in fold(events).facts.values():
        published.setdefault(fact["community_id"], []).append(fact)
    found = []
    for name, own in published.items():
        said, community = Said(settings.get(name, {})), Corrections(own, event_time)
        hosts = {ritual: declared.host_id for ritual, declared in said.rituals.items()}
        facts = corrected(own, event_time, lambda _, hosts=hosts: hosts)
        # A host is shown as the person, where the settings name one of their accounts.
        persons = {host: community.hosts(host) for host in hosts.values()}
        said.rituals = {
            ritual: declared._replace(host_id=next(iter(persons[declared.host_id])))
            if len(persons[declared.host_id]) == 1
            else declared
            for ritual, declared in said.rituals.items()
        }
        found.append(Place(name, facts, said, at, at))
    return found


def differences(warehouse: Warehouse, view: View, asked: Iterable[Place]) -> tuple[int, dict[Any, Any]]:
    """Number of rows of a view, and rows by key in which it and the oracle differ: (expected, actual), None for none.

    The places are asked about at one moment.
    """
    asked = list(asked)
    expected: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    for place in asked:
        for key, row in view.rows(place).items():
            expected[place.community, *(key if isinstance(key, tuple) else (key,))] = tuple(row)
    [moment] = {place.at for place in asked}
    called = f"({view.arguments.format(at=f'{moment:%F %T}', day=moment.date())})" if view.arguments else ""
    columns = ", ".join(filter(None, ("community_id", view.keys, view.values)))
    rows = warehouse.rows(
        f"SELECT {columns} FROM {{db}}.{view.name}{called} WHERE community_id IN {{places:Array(String)}}",
        {"places": [place.community for place in asked]},
    )
    width = 1 + len(list(filter(None, view.keys.split(", "))))
    actual = {row[:width]: row[width:] for row in rows}
    assert len(actual) == len(rows), f"{view.name} has two rows of one key"
    differing = {
        key: (expected.get(key), actual.get(key))
        for key in expected.keys() | actual.keys()
        if key not in expected or key not in actual or not alike(expected[key], actual[key])
    }
    return len(rows), differing


def alike(one: Any, other: Any) -> bool:
    """Equal but for the last digits of fractions."""
    if isinstance(one, tuple | list):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, float) and isinstance(other, int | float):
        return isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)
    return bool(one == other)


def compare(warehouse: Warehouse, view: View, asked: Iterable[Place]) -> int:
    """Hold a view against its oracle; returns how many rows it had. Raises AssertionError with some that differ."""
    count, differing = differences(warehouse, view, asked)
    some = dict(sorted(differing.items(), key=lambda item: tuple(map(str, item[0])))[:5])
    shown = "".join(f"\n  {key}: {rows[0]}, {rows[1]}" for key, rows in some.items())
    assert {} == some, f"{view.name}: {len(differing)} rows differ (oracle, view) in {view.values}:{shown}"
    return count
