"""`streams contract`: the documents of the contract, and whether a change would break whoever publishes."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Annotated, Any

import typer

from streams.commands.problems import FINDINGS, Refused

FOLDER = Path("docs/contract")

app = typer.Typer(no_args_is_help=True, help="JSON Schemas and AsyncAPI document of the events.")

Directory = Annotated[Path, typer.Option("--dir", metavar="DIR", help="Folder of the documents.")]


@app.command("export")
def export(directory: Directory = FOLDER) -> None:
    """Write the JSON Schema of every family and the AsyncAPI 3 document, as the models say.

    Examples:

    - `streams contract export`
    - `streams contract export --dir /tmp/contract`
    """
    from streams.topics import contract

    written = contract.export(directory)
    typer.echo(f"{len(written)} documents written to {directory}")


@app.command("check")
def check(
    directory: Directory = FOLDER,
    against: Annotated[
        str | None,
        typer.Option(metavar="REF|DIR", help="Compare with this git revision or folder, instead of the folder itself."),
    ] = None,
) -> None:
    """Fail when the documents are not as the models say, or when a change would refuse events that were allowed.

    Exit code 1 with one line a finding.

    Examples:

    - `streams contract check`
    - `streams contract check --against v1.0.0`
    """
    from streams.topics import ALL, contract

    if not directory.is_dir():
        raise Refused(
            f"{directory} is not there", "the documents are committed in the repository", "streams contract export"
        )
    findings = [f"stale: {line}" for line in contract.stale(directory)]
    gone = _old_families(directory, against) - {family.name for family in ALL}
    findings += [f"breaking: {name}: the family is gone" for name in sorted(gone)]
    for family in ALL:
        old = _old(directory, f"schemas/{family.name}.json", against)
        if old is not None:
            findings += [
                f"breaking: {family.name}: {line}" for line in contract.breaking_changes(old, contract.schema(family))
            ]
    for finding in findings:
        typer.echo(finding)
    if findings:
        typer.echo(
            f"contract: {len(findings)} findings; next: streams contract export and commit, "
            "and give a breaking change a new schema version",
            err=True,
        )
        raise typer.Exit(FINDINGS)
    typer.echo("contract: the documents are as the models say, and nothing breaks")


def _old_families(directory: Path, against: str | None) -> set[str]:
    """Names of the families there were."""
    if against is None or Path(against).is_dir():
        return {path.stem for path in (Path(against or directory) / "schemas").glob("*.json")}
    _git("rev-parse", "--verify", "--quiet", f"{against}^{{commit}}", failing=f"--against {against}")
    folder = (directory / "schemas").as_posix()
    listed = subprocess.run(
        ["git", "ls-tree", "--name-only", against, f"{folder}/"], capture_output=True, text=True, check=False
    )
    return {Path(name).stem for name in listed.stdout.splitlines()}


def _old(directory: Path, name: str, against: str | None) -> dict[str, Any] | None:
    """A schema as it was: in the folder, in another one, or at a git revision; None for a family that was not there."""
    if against is None or Path(against).is_dir():
        path = (Path(against) if against else directory) / name
        return _parsed(path.read_text(encoding="utf-8"), str(path)) if path.is_file() else None
    shown = subprocess.run(
        ["git", "show", f"{against}:./{(directory / name).as_posix()}"], capture_output=True, text=True, check=False
    )
    return _parsed(shown.stdout, f"{against}:{name}") if shown.returncode == 0 else None


def _git(*arguments: str, failing: str) -> None:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, check=False)
    except FileNotFoundError:
        raise Refused(failing, "git is not installed", "name a folder instead") from None
    if done.returncode:
        raise Refused(failing, "this is neither a folder nor a git revision here", "git log names some")


def _parsed(text: str, name: str) -> dict[str, Any]:
    try:
        schema = json.loads(text)
    except json.JSONDecodeError as error:
        raise Refused(f"{name} is no JSON", str(error), "streams contract export") from None
    return dict(schema)
