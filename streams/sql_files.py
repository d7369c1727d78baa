"""The SQL files: where they are, what their placeholders stand for, and the statements that make the views."""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib import resources
from pathlib import Path

from streams.settings import MetricsSettings
from streams.topics import ALL
from streams.topics.family import HOSTING

_VIEW = re.compile(r"^CREATE OR REPLACE VIEW \{db\}\.(\w+)", re.MULTILINE)
_DEFAULT = MetricsSettings()

# As `recompute.LARGE`. What is joined is small, and its order is the one that is written: other plans take longer.
VIEW_SETTINGS = """SETTINGS optimize_move_to_prewhere_if_final = 1, join_algorithm = 'direct,hash',
query_plan_optimize_join_order_limit = 0, query_plan_join_swap_table = 'false', use_statistics = 0,
optimize_and_compare_chain = 0"""
# Views that say so take in what they read and are planned at once, which takes a tenth to a third less; where views of
# views are read, twice as long. Servers know the setting, an experimental one, since 26.4.
_INLINE = "-- plan: inline"


class SqlFilesError(Exception):
    """The SQL files are not there, or not as they must be."""


def sql_root(package: Path | None = None) -> Path:
    """The directory `sql/`: of the checkout the package is in, or the copy inside the installed package."""
    package = package or Path(str(resources.files("streams")))
    checkout = package.parent / "sql"
    if (checkout / "migrations").is_dir():
        return checkout
    installed = package / "_sql"
    if (installed / "migrations").is_dir():
        return installed
    raise SqlFilesError(f"neither {checkout} nor {installed} holds the SQL files; install the package again")


def corrected_facts() -> str:
    """The sub-query `{facts}`: facts as corrected. `{where}` and `{communities}` are left to be filled in."""
    return uncommented((sql_root() / "facts.sql").read_text())


def uncommented(sql: str) -> str:
    """SQL without its comment lines."""
    return "\n".join(line for line in sql.splitlines() if not line.startswith("--"))


def views(root: Path | None = None, metrics: MetricsSettings = _DEFAULT) -> list[tuple[str, str]]:
    """(file name, SQL) of the views, in file-name order.

    `{engaged}`, `{contributing}`, `{building}`: the families that count as such. `{counted}`: the kinds of actors that
    do, the one switch of every view. `{facts}`, `{clocks}` (`{clocks_at}` a moment) and the like: `sql/*.sql`.
    """
    shared = {f"{{{path.stem}}}": uncommented(path.read_text()) for path in sql_root().glob("*.sql")}
    clocks = shared["{clocks}"].replace("{zones}", shared["{zones}"])
    lists = shared | {
        "{clocks}": clocks.replace("{moment}", "toDateTime((SELECT watermark FROM {db}.pipeline_watermark))"),
        "{clocks_at}": clocks.replace("{moment}", "{at:DateTime('UTC')}"),
        "{facts}": corrected_facts().replace("{where}", "1").replace("{communities}", "1"),
        "{engaged}": _tuple([*(family.name for family in ALL if family.engaged), HOSTING]),
        "{contributing}": _tuple([*(family.name for family in ALL if family.contributing), HOSTING]),
        "{building}": _tuple(family.name for family in ALL if family.building),
        "{counted}": _tuple(metrics.counted_actor_kinds),
        "{smallest_cohort}": str(metrics.smallest_cohort),
    }
    found = []
    for path in sorted(((root or sql_root()) / "views").glob("*.sql")):
        sql = path.read_text()
        for placeholder, stands_for in lists.items():
            sql = sql.replace(placeholder, stands_for)
        found.append((path.name, sql))
    return found


def made(view: str) -> str:
    """The statement that makes a view of `views`: with `VIEW_SETTINGS`."""
    inline = ", analyzer_inline_views = 1" if f"\n{_INLINE}\n" in view else ""
    return f"{view.rstrip().removesuffix(';')}\n{VIEW_SETTINGS}{inline}"


def view_files(metrics: MetricsSettings = _DEFAULT) -> dict[str, tuple[str, str]]:
    """View -> (name of the file that makes it, its SQL); `{db}` and `{store}` are still to be filled in."""
    return {name: (file, sql) for file, sql in views(metrics=metrics) for name in _VIEW.findall(sql)}


def _tuple(names: Iterable[str]) -> str:
    return "(" + ", ".join(f"'{name}'" for name in names) + ")"
