"""A settings file: YAML in which every scalar is text, read so that a fault is told with its path and line."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from streams.communities.settings import CommunitySettings

SHOWN = 10
"""Faults of one file that are told at once."""

Place = tuple[str | int, ...]


class SettingsFault(ValueError):
    """A settings file cannot be used; `what`, `why` and `next` are written for whoever runs the command."""

    def __init__(self, what: str, why: str, next: str) -> None:
        super().__init__(f"{what}: {why}")
        self.what, self.why, self.next = what, why, next


def read(file: Path) -> CommunitySettings:
    """The settings of a file. Raises `SettingsFault`."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise SettingsFault(f"{file} cannot be read", why, "check the path; the file is YAML in UTF-8") from None
    return parse(text, str(file))


def parse(text: str, name: str) -> CommunitySettings:
    """The settings of a YAML text; `name` is what messages call it. Raises `SettingsFault`."""
    lines: dict[Place, int] = {}
    again = f"correct it, then: streams communities check {name}"
    try:
        node = yaml.compose(text, yaml.BaseLoader)
        data = _plain(node, (), lines) if node is not None else {}
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}: " if mark else ""
        raise SettingsFault(f"{name} is not valid YAML", f"{where}{error.problem or error}", again) from None
    except yaml.YAMLError as error:
        raise SettingsFault(f"{name} is not valid YAML", " ".join(str(error).split()), again) from None
    try:
        return CommunitySettings.model_validate({} if data is None else data)
    except ValidationError as error:
        faults = error.errors(include_url=False)
        told = [_told(fault, lines) for fault in faults[:SHOWN]]
        more = [f"and {len(faults) - SHOWN} more"] if len(faults) > SHOWN else []
        raise SettingsFault(f"{name} is not valid", "\n        ".join(told + more), again) from None


def _plain(node: yaml.Node, place: Place, lines: dict[Place, int]) -> Any:
    """Plain values of a YAML node. Numbers, dates and yes or no stay text: YAML's guesses (20:30, on, 010) surprise."""
    lines[place] = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        mapping: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(problem="a key must be a text", problem_mark=key.start_mark)
            if key.value in mapping:
                raise yaml.MarkedYAMLError(problem=f"{key.value!r} is there twice", problem_mark=key.start_mark)
            mapping[key.value] = _plain(value, (*place, key.value), lines)
            lines[*place, key.value] = key.start_mark.line + 1
        return mapping
    if isinstance(node, yaml.SequenceNode):
        return [_plain(value, (*place, index), lines) for index, value in enumerate(node.value)]
    quoted = isinstance(node, yaml.ScalarNode) and node.style is not None
    return node.value if quoted or node.value not in ("", "~", "null") else None


def _told(fault: Any, lines: dict[Place, int]) -> str:
    """One fault: path, line, and what is wrong."""
    place: Place = tuple(fault["loc"])
    # Of a key that is no good, pydantic says `[key]` behind it.
    place = place[:-1] if place[-1:] == ("[key]",) else place
    message = fault["msg"].removeprefix("Value error, ")
    if fault["type"] == "extra_forbidden":
        known = _names_at(place[:-1])
        near = difflib.get_close_matches(str(place[-1]), known, 1)
        message = "there is no such setting, " + (f"did you mean {near[0]}?" if near else f"only {', '.join(known)}")
    elif fault["type"] not in ("value_error", "missing") and isinstance(fault["input"], str):
        message += f", got {fault['input']!r}"
    line = next((lines[place[:size]] for size in range(len(place), -1, -1) if place[:size] in lines), 1)
    return f"line {line}: {'.'.join(map(str, place)) or 'the file'}: {message}"


def _names_at(place: Place) -> list[str]:
    """Names that the model has at a place of the file."""
    model: Any = CommunitySettings
    for step in place:
        # A step that is no name of the model is a key or an index in front of it.
        if step in model.model_fields:
            model = _model_in(model.model_fields[step].annotation) or model
    return list(model.model_fields)


def _model_in(annotation: Any) -> Any:
    """The model that an annotation like `Mapping[str, Model]` or `tuple[Model, ...] | None` speaks of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inner = [_model_in(each) for each in getattr(annotation, "__args__", ())]
    return next((each for each in inner if each is not None), None)
