"""Corrections on their way into the numbers: copied, folded, and whatever they change restated.

Ingest copies them and says in an invalidation which came, changed or went. The rollup, which alone recomputes a
community, folds all corrections of the community anew, writes what `{facts}` looks up, and marks the minutes of
everybody and everything they name. What is marked follows from what was named and never from how the tables were
before, so that any of it may be done twice, or again after a crash.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from streams.aggregates.aggregate import json_literal, of_communities
from streams.identity.fold import FAMILIES, Corrected, Correction, fold
from streams.identity.touched import touched
from streams.processors.facts import key_of
from streams.processors.store import LARGE, PLAIN, Storage, key_list

COPIED = (
    "community_id",
    "event_id",
    "minute",
    "version",
    "event_key",
    "event_time",
    "type",
    "platform",
    "member_id",
    "action",
    "linked_platform",
    "linked_account_id",
    "target_id",
    "target_member_id",
    "flagged_kind",
)
"""Columns of `events` that `corrections` has too."""

Ids = Mapping[str, set[str]]
"""Community -> event ids."""


AMONG_FACTS = f"""(community_id, minute, event_id) IN
    (SELECT community_id, minute, event_id FROM {{store}}.events WHERE type IN {FAMILIES}) AND type IN {FAMILIES}"""
"""SQL that finds corrections among the facts: only their granules are merged."""

Values = dict[str, Any] | None


class Table(NamedTuple):
    """A table that the fold is written to; `values` are its other columns and what they hold when nothing is said."""

    name: str
    keys: tuple[str, ...]
    values: Mapping[str, str | int]


LINKED = Table("linked_accounts", ("community_id", "platform", "account_id"), {"member_id": ""})
STANDING = Table("member_standing", ("community_id", "member_id"), {"actor_kind": "", "hidden": 0, "erased": 0})
HIDDEN = Table("hidden_events", ("community_id", "event_id"), {"erased": 0})
TABLES = (LINKED, STANDING, HIDDEN)


def copy_corrections(warehouse: Storage, facts: pa.Table) -> dict[str, set[str]]:
    """Copy the corrections of a block, before it is stored; returns their ids.

    Before: of two writers that bring versions of one event at the same time, one at least sees both when it looks up
    what it replaces, and then the copy of the other is there.
    """
    types = facts["type"].combine_chunks()
    codes = [code for code, name in enumerate(types.dictionary.to_pylist()) if name in FAMILIES]
    found: dict[str, set[str]] = defaultdict(set)
    if codes:
        names = [name for name in COPIED if name in facts.schema.names]
        copies = facts.select(names).filter(pa.array(np.isin(np.asarray(types.indices), codes)))
        warehouse.insert(warehouse.render("{store}.corrections"), copies, settings=PLAIN)
        for community, event_id in zip(copies["community_id"].to_pylist(), copies["event_id"].to_pylist(), strict=True):
            found[community].add(event_id)
    return found


def copy_replacements(warehouse: Storage, keys: np.ndarray[Any, np.dtype[np.uint64]]) -> dict[str, set[str]]:
    """Copy what now lives in the place of corrections, of whatever family; returns the ids of these corrections.

    `keys` are those of events that were stored before the block that was just stored, which brought them again.
    """
    found: dict[str, set[str]] = defaultdict(set)
    if not len(keys):
        return found
    known = warehouse.rows(
        "SELECT DISTINCT event_key, community_id, event_id FROM {store}.corrections "
        f"WHERE event_key IN ({key_list(np.unique(keys))})",
        settings=LARGE,
    )
    if not known:
        return found
    names = {key: (community, event_id) for key, community, event_id in known}
    for community, event_id in names.values():
        found[community].add(event_id)
    minutes = warehouse.rows(
        "SELECT DISTINCT event_key, toUnixTimestamp(minute) FROM {store}.event_keys "
        f"WHERE event_key IN ({key_list(np.fromiter(names, np.uint64, len(names)))})",
        settings=LARGE,
    )
    places = json_literal([(names[key][0], minute, names[key][1]) for key, minute in minutes])
    columns = ", ".join(COPIED)
    warehouse.command(
        f"INSERT INTO {{store}}.corrections ({columns}) SELECT {columns} FROM {{store}}.events FINAL "
        "WHERE (community_id, minute, event_id) IN (SELECT place.1, toDateTime(place.2, 'UTC'), place.3 "
        f"FROM (SELECT arrayJoin(JSONExtract({places}, 'Array(Tuple(String, UInt32, String))')) AS place))",
        settings=LARGE,
    )
    return found


def restate_corrections(warehouse: Storage, came: Ids, version: int) -> dict[str, set[int]]:
    """Fold the corrections of some communities anew; returns their minutes that are no longer true.

    `came` names the corrections that came, changed or went. `version` is of the warehouse's clock, taken before.
    """
    versions: dict[str, list[Correction]] = {community: [] for community in came}
    lives: dict[tuple[str, str], Correction | None] = {}
    for community, family, correction in stored_corrections(warehouse, came):
        is_one = family in FAMILIES
        lives[community, correction.event_id] = correction if is_one else None
        if is_one:
            versions[community].append(correction)
    states = {
        community: fold(each for (of, _), each in lives.items() if of == community and each) for community in came
    }
    write_corrected(warehouse, states, version)
    hosts = {host for (host,) in warehouse.rows("SELECT DISTINCT host_id FROM {store}.declared_rituals FINAL")}
    accounts, events = {}, {}
    for community, ids in came.items():
        every = versions[community]
        named = touched((each for each in every if each.event_id in ids), states[community], every, hosts)
        accounts[community], events[community] = named.accounts, named.events
    minutes: dict[str, set[int]] = defaultdict(set)
    for community, minute in (*minutes_of_accounts(warehouse, accounts), *minutes_of_events(warehouse, events)):
        minutes[community].add(minute)
    return minutes


def stored_corrections(warehouse: Storage, communities: Iterable[str]) -> Iterator[tuple[str, str, Correction]]:
    """(community, family, correction) of every version of every correction of some communities, the living one last.

    What replaced a correction is among them, though its family is none of the corrections.
    """
    rows = warehouse.rows(
        f"SELECT community_id, type, {READ} FROM {{store}}.corrections FINAL "
        f"WHERE {of_communities(communities)} ORDER BY version, minute DESC",
        settings=LARGE,
    )
    for community, family, *fields in rows:
        yield community, family, Correction(*fields)


READ = (
    "event_id, toUnixTimestamp64Milli(event_time), platform, member_id, action, linked_platform, linked_account_id, "
    "target_id, target_member_id, flagged_kind"
)
"""Columns of `corrections` or `events` that make a `Correction`."""


def corrected_by_facts(warehouse: Storage, communities: Iterable[str] = ()) -> dict[str, Corrected]:
    """What the corrections among the facts come to, without the copies that `restate_corrections` reads.

    Of some communities or of all; those of which only tables still say something are among them.
    """
    chosen = of_communities(communities)
    found: dict[str, list[Correction]] = defaultdict(list)
    for table in TABLES:
        for (community,) in warehouse.rows(f"SELECT DISTINCT community_id FROM {{store}}.{table.name} WHERE {chosen}"):
            found[community] = []
    rows = warehouse.rows(
        f"SELECT community_id, {READ} FROM {{store}}.events FINAL WHERE {AMONG_FACTS} AND {chosen}", settings=LARGE
    )
    for community, *fields in rows:
        found[community].append(Correction(*fields))
    return {community: fold(corrections) for community, corrections in found.items()}


def rewrite_corrected(warehouse: Storage, communities: Iterable[str], version: int) -> None:
    """Write anew what follows from the corrections among the facts: the copies, and what they come to."""
    names = list(communities)
    columns = ", ".join(COPIED)
    warehouse.command(
        f"INSERT INTO {{store}}.corrections ({columns}) SELECT {columns} FROM {{store}}.events FINAL "
        "WHERE (community_id, minute, event_id) IN (SELECT community_id, minute, event_id FROM {store}.events "
        f"WHERE type IN {FAMILIES} OR event_key IN (SELECT event_key FROM {{store}}.corrections)) "
        f"AND {of_communities(names)}",
        settings=LARGE,
    )
    states = corrected_by_facts(warehouse, names)
    if states:
        write_corrected(warehouse, states, version)


def corrected_differences(warehouse: Storage) -> Iterator[tuple[str, dict[str, Any], Values, Values]]:
    """(table, key, stored, expected) of each row that is not what the corrections among the facts come to."""
    states = corrected_by_facts(warehouse)
    for table, rows in zip(TABLES, rows_of(states), strict=True):
        names = (*table.keys, *table.values)
        width = len(table.keys)
        stored = warehouse.rows(f"SELECT {', '.join(names)} FROM {{store}}.{table.name} FINAL")
        held, said = ({row[:width]: row[width:] for row in side} for side in (stored, rows))
        for key in sorted(held.keys() | said.keys()):
            if held.get(key) != said.get(key):
                sides = [
                    dict(zip(table.values, side[key], strict=True)) if key in side else None for side in (held, said)
                ]
                yield table.name, dict(zip(table.keys, key, strict=True)), sides[0], sides[1]


def write_corrected(warehouse: Storage, states: Mapping[str, Corrected], version: int) -> None:
    """Write what the corrections of some communities come to, and remove what is no longer said, in one insert a table.

    All of it and not only what differs: a worker that has lost its partitions may write what it saw before at any time.
    """
    chosen = of_communities(states)
    for table, rows in zip(TABLES, rows_of(states), strict=True):
        width = len(table.keys)
        said = {row[:width] for row in rows}
        known = warehouse.rows(
            f"SELECT {', '.join(table.keys)} FROM {{store}}.{table.name} FINAL WHERE {chosen} AND version < {version}"
        )
        gone = [(*key, *table.values.values()) for key in known if key not in said]
        columns = arrow_of(table, rows + gone, version, [0] * len(rows) + [1] * len(gone))
        warehouse.insert(warehouse.render(f"{{store}}.{table.name}"), columns, settings=PLAIN)


def rows_of(states: Mapping[str, Corrected]) -> tuple[list[tuple[Any, ...]], ...]:
    """Rows of each of `TABLES`, keys and values."""
    return (
        [
            (community, *account, person)
            for community, state in states.items()
            for account, person in state.people.items()
        ],
        [
            (community, person, said.actor_kind, int(said.hidden), int(said.erased))
            for community, state in states.items()
            for person, said in state.standing.items()
        ],
        [
            (community, event_id, int(erased))
            for community, state in states.items()
            for event_id, erased in state.hidden.items()
        ],
    )


def arrow_of(table: Table, rows: list[tuple[Any, ...]], version: int, deleted: list[int]) -> pa.Table:
    """Rows as columns, with a version."""
    names = (*table.keys, *table.values)
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(names)
    arrays = {
        name: pa.array(column, pa.string() if name in table.keys or table.values[name] == "" else pa.uint8())
        for name, column in zip(names, columns, strict=True)
    }
    return pa.table(
        arrays | {"version": pa.array([version] * len(rows), pa.uint64()), "is_deleted": pa.array(deleted, pa.uint8())}
    )


def minutes_of_accounts(warehouse: Storage, accounts: Ids) -> list[tuple[str, int]]:
    """(community, minute) of every fact that one of these accounts is the author of, or is named in."""
    chosen = {community: sorted(ids) for community, ids in accounts.items() if ids}
    if not chosen:
        return []
    hashes = warehouse.rows(
        "SELECT DISTINCT cityHash64(named.1, arrayJoin(named.2)) FROM (SELECT arrayJoin(JSONExtract("
        f"{json_literal(list(chosen.items()))}, 'Array(Tuple(String, Array(String)))')) AS named)"
    )
    named, communities = ", ".join(str(each) for (each,) in hashes), of_communities(chosen)
    # By hash, as the indexes of the table have it. Without FINAL: a version that lost only marks a minute too many.
    return [
        (community, minute)
        for community, minute in warehouse.rows(
            f"""
            SELECT DISTINCT community_id, toUnixTimestamp(minute) FROM {{store}}.events
            WHERE {communities} AND cityHash64(community_id, member_id) IN ({named})
            UNION DISTINCT
            SELECT DISTINCT community_id, toUnixTimestamp(minute) FROM {{store}}.events
            WHERE {communities} AND hasAny(arrayMap(name -> cityHash64(community_id, name), mentions), [{named}])""",
            settings=LARGE,
        )
    ]


def minutes_of_events(warehouse: Storage, events: Ids) -> list[tuple[str, int]]:
    """(community, minute) of every minute in which one of these events was ever stored."""
    keys = {key_of(community, event_id): community for community, ids in events.items() for event_id in ids}
    if not keys:
        return []
    rows = warehouse.rows(
        "SELECT DISTINCT event_key, toUnixTimestamp(minute) FROM {store}.event_keys "
        f"WHERE event_key IN ({key_list(np.fromiter(keys, np.uint64, len(keys)))})",
        settings=LARGE,
    )
    return [(keys[key], minute) for key, minute in rows]
