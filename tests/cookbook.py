"""The cookbook as a document: questions in order, each with its SQL and its answer on the communities of the tests."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from streams.sql_files import sql_root

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "cookbook.md"

_HEAD = """# Cookbook

{number} questions with the SQL that answers them. Put the name of your community in the place of ours and run them with
`streams sql`, or from a file: `streams sql - < sql/cookbook/01_activity.sql`. [metrics.md](metrics.md) says what each
column means.

The answers are those of the communities that the tests know by heart: `tea-house`, three people in Shanghai from 2 to
4 March 2026, and `reading-circle`, ten people in New York from 22 December 2025 to 1 March 2026, who meet on Thursdays.
A test runs every query and compares; `make cookbook` writes this file.

"""


@dataclass(frozen=True, slots=True)
class Recipe:
    """One question: its file, what is asked, how to read the answer, and the query as an analyst writes it."""

    name: str
    question: str
    reading: str
    sql: str


def recipes() -> list[Recipe]:
    """The questions, in the order of their numbers."""
    found = []
    for file in sorted((sql_root() / "cookbook").glob("*.sql")):
        text = file.read_text()
        head = re.findall(r"^-- (?:title: )?(.*)$", text, re.M)
        sql = "\n".join(line for line in text.splitlines() if not line.startswith("--"))
        found.append(Recipe(file.name, head[0], " ".join(head[1:]), sql.strip()))
    return found


def document(answer: Callable[[str], str]) -> str:
    """The whole document; `answer` runs a query and gives its rows as a Markdown table."""
    asked = recipes()
    index = "".join(f"{number}. {recipe.question}\n" for number, recipe in enumerate(asked, 1))
    parts = [_HEAD.format(number=len(asked)), index]
    for number, recipe in enumerate(asked, 1):
        parts.append(
            f"\n## {number}. {recipe.question}\n\n{recipe.reading}\n\n"
            f"```sql\n{recipe.sql}\n```\n\n{_table(answer(recipe.sql))}\n"
        )
    return "".join(parts)


def _table(markdown: str) -> str:
    """The engine's table with nothing where it says NULL."""
    return markdown.strip().replace(" \\N ", "  ")
