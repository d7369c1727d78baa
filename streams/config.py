"""Settings with their origins: which flag, environment name, `.env` line or TOML file every value came from."""

from __future__ import annotations

import difflib
import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_origin

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import (
    DotEnvSettingsSource,
    EnvSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)
from pydantic_settings import SettingsError as SourceError

from streams.settings import TOML_FILE, Settings

HIDDEN = "********"
CREDENTIALS = re.compile(r"://[^/@\s]+@")  # a password may also hide in a URL


class ConfigError(ValueError):
    """The settings cannot be used; `what`, `why` and `next` are written for whoever runs the command."""

    def __init__(self, what: str, why: str, next: str = "streams config show") -> None:
        super().__init__(f"{what}: {why}")
        self.what, self.why, self.next = what, why, next


@dataclass(frozen=True)
class Setting:
    """One setting as `streams config show` lists it; `shown` is safe to print."""

    name: str
    shown: str
    origin: str
    description: str


def load(file: Path | None = None, overrides: Sequence[str] = ()) -> Settings:
    """Read the settings: `overrides` ("kafka.bootstrap=host:9092") win over environment, `.env` and TOML `file`.

    Without `file`, `streams.toml` of the working directory is read when it exists. Raises `ConfigError`.
    """
    flags = _nested(overrides)
    _check_readable(file)
    try:
        return _with_file(file)(**flags)
    except ValidationError as error:
        raise _explained(error, file, flags) from None
    except SourceError as error:
        why = f"{error} ({error.__cause__})" if error.__cause__ else str(error)
        raise ConfigError("a setting cannot be read", why, 'lists are JSON, as in ["ingest","rollup"]') from None


def explain(file: Path | None = None, overrides: Sequence[str] = ()) -> list[Setting]:
    """Every setting in order of declaration, with its origin. Raises `ConfigError`."""
    settings = load(file, overrides)
    origins = _origins(file, _nested(overrides))
    return [
        Setting(".".join(path), _shown(value), _origin(origins, path), field.description or "")
        for path, field, value in _leaves(settings)
    ]


def to_environment(settings: Settings) -> dict[str, str]:
    """The environment that makes a child process read exactly these settings (it contains the secrets)."""
    environment = {}
    for path, _, value in _leaves(settings):
        if value is None:
            continue
        plain = value.get_secret_value() if isinstance(value, SecretStr) else value
        environment[environment_name(path)] = json.dumps(plain) if isinstance(plain, tuple) else _text(plain)
    return environment


def environment_name(path: Sequence[str]) -> str:
    """Name of the environment variable of a setting, as in `STREAMS_KAFKA__BOOTSTRAP`."""
    return "STREAMS_" + "__".join(path).upper()


def names() -> list[str]:
    """Every setting's dotted name."""
    return [".".join(path) for path, _ in _fields(Settings)]


def unknown_environment(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Names that start with `STREAMS_` but set nothing; those of the test suite (`STREAMS_TEST_`) are not counted."""
    known = {environment_name(path) for path, _ in _fields(Settings)} | {
        environment_name([section]) for section in Settings.model_fields
    }
    return sorted(
        name
        for name in environment
        if name.upper().startswith("STREAMS_")
        and not name.upper().startswith("STREAMS_TEST_")
        and name.upper() not in known
    )


def _with_file(file: Path | None) -> type[Settings]:
    class FromFile(Settings):
        # A `.env` is shared with docker compose: names without our prefix are none of our business.
        model_config = SettingsConfigDict(toml_file=file or TOML_FILE, dotenv_filtering="match_prefix")

    return FromFile


def _check_readable(file: Path | None) -> None:
    if file is not None and not file.is_file():
        raise ConfigError(f"cannot read {file}", "there is no such file", "check --config")
    path = file or TOML_FILE
    if path.is_file():
        try:
            tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"cannot read {path}", str(error), "correct the file; names are in `streams config show`"
            ) from None


def _nested(overrides: Sequence[str]) -> dict[str, Any]:
    fields = {".".join(path): field for path, field in _fields(Settings)}
    nested: dict[str, Any] = {}
    for override in overrides:
        name, equals, value = override.partition("=")
        name = name.strip()
        if not equals:
            raise ConfigError(f"--set {override}", "it has no '='", "write it as --set kafka.bootstrap=127.0.0.1:9092")
        if name not in fields:
            close = difflib.get_close_matches(name, fields, 1)
            hint = f"did you mean --set {close[0]}=... ?" if close else "streams config show lists every name"
            raise ConfigError(f"--set {name}", "there is no setting of this name", hint)
        *sections, last = name.split(".")
        table = nested
        for section in sections:
            table = table.setdefault(section, {})
        table[last] = _items(value) if get_origin(fields[name].annotation) is tuple else value
    return nested


def _items(value: str) -> Any:
    if value.lstrip().startswith("["):
        try:
            return json.loads(value)
        except json.JSONDecodeError:
            return value
    return [item.strip() for item in value.split(",") if item.strip()]


def _fields(model: type[BaseModel], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], FieldInfo]]:
    for name, field in model.model_fields.items():
        annotation = field.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield from _fields(annotation, (*path, name))
        else:
            yield (*path, name), field


def _leaves(settings: Settings) -> Iterator[tuple[tuple[str, ...], FieldInfo, Any]]:
    for path, field in _fields(Settings):
        value: Any = settings
        for name in path:
            value = getattr(value, name)
        yield path, field, value


Origins = list[tuple[str, dict[str, Any]]]


def _origins(file: Path | None, flags: dict[str, Any]) -> Origins:
    model = _with_file(file)
    return [
        ("flag", flags),
        ("env", EnvSettingsSource(model)()),
        (".env", DotEnvSettingsSource(model)()),
        (str(file or TOML_FILE), TomlConfigSettingsSource(model)()),
    ]


def _origin(origins: Origins, path: Sequence[str]) -> str:
    for label, values in origins:
        if _has(values, path):
            if label == "flag":
                return f"flag --set {'.'.join(path)}"
            return f"{label} {_variable(path)}" if label == "env" else label
    return "default"


def _variable(path: Sequence[str]) -> str:
    present = {name.upper() for name in os.environ}
    whole = environment_name(path)
    return whole if whole in present else environment_name(path[:1])


def _has(values: Any, path: Sequence[str]) -> bool:
    for name in path:
        if not isinstance(values, dict) or name not in values:
            return False
        values = values[name]
    return True


def _explained(error: ValidationError, file: Path | None, flags: dict[str, Any]) -> ConfigError:
    try:
        origins = _origins(file, flags)
    except Exception:  # the sources were readable a moment ago; a message without origins is still a message
        origins = [("flag", flags)]
    fields = {".".join(path): field for path, field in _fields(Settings)}
    lines = []
    for item in error.errors(include_url=False):
        path = [str(part) for part in item["loc"]]
        name = ".".join(path)
        if item["type"] == "extra_forbidden":
            close = difflib.get_close_matches(name, fields, 1)
            message = "there is no setting of this name" + (f", did you mean {close[0]}?" if close else "")
        else:
            message = str(item["msg"])
            field = fields.get(name)
            if field is not None and field.annotation is not SecretStr:
                message += f", got {CREDENTIALS.sub(f'://{HIDDEN}@', repr(item['input']))}"
        lines.append(f"{name} (from {_origin(origins, path)}): {message}")
    return ConfigError(
        "the settings are not valid", "; ".join(lines), "streams config show lists every name and its meaning"
    )


def _shown(value: Any) -> str:
    if isinstance(value, SecretStr):
        return HIDDEN if value.get_secret_value() else ""
    return ",".join(value) if isinstance(value, tuple) else CREDENTIALS.sub(f"://{HIDDEN}@", _text(value))


def _text(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
