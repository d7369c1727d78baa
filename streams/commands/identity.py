"""`streams identity`: who may be one person."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from streams.commands import settings_of

if TYPE_CHECKING:
    from streams.clickhouse import Warehouse
    from streams.identity.fold import Account
    from streams.identity.suggest import Life

app = typer.Typer(no_args_is_help=True, help="Accounts of several platforms that are, or may be, one person.")


@app.callback()
def identity() -> None:
    """Accounts of several platforms that are, or may be, one person."""


@app.command()
def suggest(
    ctx: typer.Context,
    community: Annotated[
        list[str] | None, typer.Option("--community", metavar="ID", help="Only this community; may be repeated.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array of suggestions.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="At most this many of a community.")] = 50,
) -> None:
    """Pairs of accounts that may be one person, with the evidence. Nothing is linked: that takes an identity event.

    Examples:

    - `streams identity suggest --community climbing-hall`
    - `streams identity suggest --json`
    """
    settings = settings_of(ctx)
    from streams.clickhouse import Warehouse
    from streams.identity import suggest as suggestions

    warehouse = Warehouse(settings.warehouse, interactive=True)
    try:
        known = [name for (name,) in warehouse.rows("SELECT DISTINCT community_id FROM {store}.events ORDER BY 1")]
        found = [
            (name, each)
            for name in known
            if not community or name in community
            for each in suggestions.suggest(*accounts_of(warehouse, name))[:limit]
        ]
    finally:
        warehouse.close()
    if as_json:
        rows = [
            {
                "community_id": name,
                "accounts": [each.one._asdict(), each.other._asdict()],
                "score": each.score,
                "evidence": dict(each.evidence),
            }
            for name, each in found
        ]
        typer.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    for name, each in found:
        one, other = (f"{account.platform}:{account.account_id}" for account in (each.one, each.other))
        typer.echo(f"{name}  {one}  {other}  {each.score:g}")
        for kind, how in each.evidence.items():
            typer.echo(f"    {kind}: {how}")
    typer.echo(f"identity: {len(found)} suggestions; link two accounts with an identity event", err=True)


def accounts_of(warehouse: Warehouse, community: str) -> tuple[list[Life], dict[Account, str]]:
    """The human accounts of a community as they act, and the person each linked one is already."""
    from streams.identity.fold import Account
    from streams.identity.suggest import Life

    rows = warehouse.rows(
        "SELECT platform, account_id, toUnixTimestamp(min(event_time)), toUnixTimestamp(max(event_time)), "
        "groupUniqArray(intDiv(toUnixTimestamp(minute), 3600)) FROM {db}.events "
        "WHERE community_id = {name:String} AND actor_kind = 'human' GROUP BY platform, account_id",
        {"name": community},
    )
    linked = warehouse.rows(
        "SELECT platform, account_id, member_id FROM {db}.linked_accounts WHERE community_id = {name:String}",
        {"name": community},
    )
    lives = [
        Life(Account(place, name), name, first, last, frozenset(hours)) for place, name, first, last, hours in rows
    ]
    return lives, {Account(place, name): person for place, name, person in linked}
