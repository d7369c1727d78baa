"""`streams metrics`: what each number means, and the SQL it is made with."""

from __future__ import annotations

import difflib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.commands import settings_of
from streams.commands.problems import FINDINGS, Refused

if TYPE_CHECKING:
    from streams.catalog import Metric
    from streams.settings import MetricsSettings

FILE = Path("docs/metrics.md")

app = typer.Typer(invoke_without_command=True, help="What each number means, and the SQL it is made with.")

AsJson = Annotated[bool, typer.Option("--json", help="JSON, SQL included.")]


@app.callback()
def metrics(ctx: typer.Context, as_json: AsJson = False) -> None:
    """List the metrics when nothing else is asked."""
    if ctx.invoked_subcommand is None:
        _list(ctx, as_json)


@app.command("list")
def list_(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Every metric: name, unit, view, and what it says.

    Examples:

    - `streams metrics list`
    - `streams metrics list --json | jq '.[].name'`
    """
    _list(ctx, as_json)


def _list(ctx: typer.Context, as_json: bool) -> None:
    from streams.catalog import ALL
    from streams.catalog.document import plain

    if as_json:
        sql = _statements(ctx)
        typer.echo(json.dumps([plain(metric, sql[metric.view]) for metric in ALL], indent=2, ensure_ascii=False))
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("metric", no_wrap=True)
    for heading in ("unit", "view", "what it says"):
        table.add_column(heading, overflow="fold")
    for metric in ALL:
        table.add_row(metric.name, metric.unit, metric.view, metric.words)
    console = Console(markup=False, highlight=False)
    if not console.is_terminal:
        console.width = 160
    console.print(table)
    console.print("next: streams metrics show NAME")


@app.command()
def show(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of a metric, or of its view.")],
    as_json: AsJson = False,
) -> None:
    """Everything about one metric: formula, unit, columns, caveats, where it comes from, and the SQL of its view.

    Examples:

    - `streams metrics show activity`
    - `streams metrics show activity --json`
    """
    from streams.catalog.document import plain

    metric = _named(name)
    sql = _statements(ctx)[metric.view]
    if as_json:
        typer.echo(json.dumps(plain(metric, sql), indent=2, ensure_ascii=False))
        return
    typer.echo(f"{metric.title} ({metric.name})\n\n{metric.words}\n")
    for heading, text in (
        ("formula", metric.formula),
        ("unit", metric.unit),
        ("one row", metric.grain),
        ("views", ", ".join(metric.views)),
        *(("caveat", caveat) for caveat in metric.caveats),
        ("reference", metric.reference),
    ):
        typer.echo(f"{heading:<10} {text}")
    typer.echo("\ncolumns")
    width = max(map(len, metric.columns))
    for column, words in metric.columns.items():
        typer.echo(f"  {column:<{width}}  {words}")
    typer.echo(f"\n{sql}")


@app.command()
def export(
    file: Annotated[Path, typer.Option("--file", metavar="FILE", help="The document.")] = FILE,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit code 1 when it is not current.")] = False,
) -> None:
    """Write the document of all metrics, as the catalog says.

    Examples:

    - `streams metrics export`
    - `streams metrics export --check`
    """
    from streams.catalog.document import markdown
    from streams.settings import MetricsSettings

    text = markdown({view: name for view, (name, _) in _files(MetricsSettings()).items()})
    if not check:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        typer.echo(f"written to {file}")
    elif not file.is_file() or file.read_text(encoding="utf-8") != text:
        raise Refused(f"{file} is not as the catalog says", "", "streams metrics export, and commit it", FINDINGS)


def _named(name: str) -> Metric:
    from streams.catalog import ALL, by_name

    found = by_name.get(name) or next((metric for metric in ALL if name in metric.views), None)
    if found is not None:
        return found
    near = difflib.get_close_matches(name, by_name, n=3)
    raise Refused(
        f"there is no metric {name}",
        f"near it: {', '.join(near)}" if near else f"there are {len(by_name)}, none with a name like it",
        "streams metrics list",
    )


def _statements(ctx: typer.Context) -> dict[str, str]:
    """View -> the statement that makes it, with the names of this deployment's databases."""
    settings = settings_of(ctx)
    databases = {"{db}": settings.warehouse.database, "{store}": settings.warehouse.store}
    return {
        view: re.sub(r"\{(?:db|store)\}", lambda match: databases[match.group()], sql).strip()
        for view, (_, sql) in _files(settings.metrics).items()
    }


def _files(metrics: MetricsSettings) -> dict[str, tuple[str, str]]:
    """View -> (file, statement); refuses when a metric is read from a view that no file makes."""
    from streams.catalog import ALL
    from streams.sql_files import view_files

    files = view_files(metrics)
    for metric in ALL:
        for view in metric.views:
            if view not in files:
                raise Refused(
                    f"no file of sql/views makes {view}",
                    f"the metric {metric.name} is read from it",
                    f"write sql/views/NNN_{view}.sql, or correct the view of the metric in streams/catalog",
                    FINDINGS,
                )
    return files
