"""The commands of `streams`, one verb or noun a file; a file imports its clients inside the command that needs them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import typer

    from streams.settings import Settings


@dataclass(frozen=True)
class Choices:
    """What the global options `--config` and `--set` said; kept in `typer.Context.obj`."""

    config: Path | None = None
    overrides: tuple[str, ...] = ()


def choices_of(ctx: typer.Context) -> Choices:
    """The global options of this run."""
    chosen = ctx.find_root().obj
    return chosen if isinstance(chosen, Choices) else Choices()


def settings_of(ctx: typer.Context) -> Settings:
    """The settings of this run: flags, environment, `.env`, TOML. Raises `streams.config.ConfigError`."""
    from streams.config import load

    chosen = choices_of(ctx)
    return load(chosen.config, chosen.overrides)
