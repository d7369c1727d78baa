"""What communities may set for themselves: zone, rituals, values, ladder, streaks and holidays."""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from streams.topics.event import Id, Name, OptionalId

DEFAULTS = ""
"""The community id under which defaults are stored."""

Part = Literal["zone", "name", "rituals", "values", "ladder", "streaks", "holidays"]
PARTS: tuple[Part, ...] = ("zone", "name", "rituals", "values", "ladder", "streaks", "holidays")
"""Parts of the settings, each of which a community has or takes from the defaults."""

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
WEEKDAYS: tuple[Weekday, ...] = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")


def known_zone(zone: str) -> str:
    """The zone, when the IANA database has it. Raises ValueError with the nearest name."""
    if zone not in available_timezones():
        near = difflib.get_close_matches(zone, available_timezones(), 1)
        raise ValueError(f"there is no zone {zone!r}" + (f", did you mean {near[0]}?" if near else ""))
    return zone


def minute_of_day(clock: Any) -> Any:
    """Minute of the day of a text like 20:30. Raises ValueError for any other text."""
    if not isinstance(clock, str):
        return clock
    found = _CLOCK.fullmatch(clock)
    if not found:
        raise ValueError(f"{clock!r} is no time of the day; write it as 20:30")
    return int(found.group(1)) * 60 + int(found.group(2))


def single(names: tuple[str, ...]) -> tuple[str, ...]:
    """The names, when each is there once. Raises ValueError with the first that is not."""
    for index, name in enumerate(names):
        if name in names[:index]:
            raise ValueError(f"{name!r} is there twice")
    return names


Zone = Annotated[str, AfterValidator(known_zone)]
Clock = Annotated[int, BeforeValidator(minute_of_day), Field(ge=0, lt=1440)]
Names = Annotated[tuple[Id, ...], AfterValidator(single)]


class Section(BaseModel):
    """A named group of settings; unknown names are an error, so that a typing mistake cannot hide."""

    model_config = ConfigDict(frozen=True, extra="forbid", regex_engine="rust-regex")

    @model_validator(mode="before")
    @classmethod
    def nothing_is_absent(cls, data: Any) -> Any:
        """A name with nothing behind it says nothing."""
        if isinstance(data, dict):
            return {name: value for name, value in data.items() if value is not None}
        return {} if data is None else data


class Ritual(Section):
    """An occasion that comes again and again, in the zone of the community."""

    title: str = Field("", max_length=128, description="what people call it; its name when not stated")
    every: Literal["day", "week", "month"] = Field(description="how often it comes")
    weekdays: Annotated[tuple[Weekday, ...], AfterValidator(single)] = Field(
        (), description="weekly: on which days of the week"
    )
    month_day: int = Field(0, ge=0, le=28, description="monthly: on which day, 1 to 28, which every month has")
    at: Clock = Field(description="when it begins, local time, as 20:30")
    duration_minutes: int = Field(60, ge=1, le=1440, description="how long it takes")
    conversation_id: OptionalId = Field("", description="conversation whose messages count as taking part")
    host_id: OptionalId = Field("", description="member who hosts it")

    @model_validator(mode="after")
    def days_fit(self) -> Ritual:
        """A week has weekdays, a month has a day, a day has neither."""
        if (self.every == "week") != bool(self.weekdays):
            raise ValueError("`every: week` and `weekdays` belong together")
        if (self.every == "month") != bool(self.month_day):
            raise ValueError("`every: month` and `month_day` belong together")
        return self


class Acts(Section):
    """What counts as acting on a value: references as events carry them."""

    rituals: Names = Field((), description="rituals of check-ins")
    products: Names = Field((), description="product ids of orders and reviews")
    places: Names = Field((), description="places of check-ins")


class Value(Section):
    """Something a community holds dear: how it is spoken of, and how it is acted on."""

    terms: Names = Field(min_length=1, description="words and phrases that speak of it")
    acts: Acts = Field(Acts(), description="what counts as acting on it")


class Level(Section):
    """A step of the ladder; a member stands on the highest one that is met together with every one below it."""

    level: Name = Field(description="its name")
    weight: float = Field(ge=0, description="weight of a member of it in gravity")
    window_days: int = Field(1, ge=1, le=366, description="local days, today included, over which the rest is counted")
    min_active_days: int = Field(0, ge=0, description="days with an engaged event")
    min_contributions: int = Field(0, ge=0, description="contributing events")
    min_hosted_or_cocreated: int = Field(0, ge=0, description="reviews, acts of moderation, rituals hosted")
    grace_days: int = Field(14, ge=0, le=366, description="days a member keeps it without meeting it")

    @model_validator(mode="after")
    def window_holds(self) -> Level:
        """More active days than the window has days can never be."""
        if self.min_active_days > self.window_days:
            raise ValueError(f"{self.min_active_days} active days cannot be in a window of {self.window_days} days")
        return self


def climbs(levels: tuple[Level, ...] | None) -> tuple[Level, ...] | None:
    """The levels, when names differ and everybody is on the first. Raises ValueError."""
    if levels is None:
        return None
    single(tuple(level.level for level in levels))
    first = levels[0]
    if first.min_active_days or first.min_contributions or first.min_hosted_or_cocreated:
        raise ValueError(f"the first level, {first.level!r}, must ask for nothing but presence: everybody begins on it")
    return levels


Ladder = Annotated[tuple[Level, ...] | None, Field(min_length=2, max_length=12), AfterValidator(climbs)]


class Streaks(Section):
    """What a streak of active days forgives; a missing holiday never ends one."""

    grace_hours: int = Field(3, ge=0, le=12, description="an act this early in the day also keeps the day before")
    freeze_days: int = Field(1, ge=0, le=30, description="missing days in a row that do not end a streak")


class Community(Section):
    """Settings of one community, or the defaults; a part that is absent is taken from the defaults."""

    name: str = Field("", max_length=128, description="what people call it")
    zone: Zone | None = Field(None, description="IANA zone that its days and weeks are told in")
    since: date | None = Field(None, description="first local day of its life: before it nothing is missing")
    rituals: Mapping[Name, Ritual] = Field({}, description="rituals it declares, by the name check-ins carry")
    values: Mapping[Name, Value] = Field({}, description="what it holds dear, by name")
    ladder: Ladder = Field(None, description="levels from the lowest up")
    streaks: Streaks | None = Field(None, description="what a streak of active days forgives")
    holidays: Mapping[date, Name] = Field({}, description="local days on which less is expected")

    @property
    def parts(self) -> dict[Part, Any]:
        """Each part as plain JSON values; two communities with equal parts are set alike."""
        said = self.model_dump(mode="json")
        return {
            "zone": said["zone"],
            "name": [said["name"], said["since"]],
            "rituals": said["rituals"],
            "values": said["values"],
            "ladder": said["ladder"],
            "streaks": said["streaks"],
            "holidays": said["holidays"],
        }

    @property
    def stated(self) -> str:
        """What is set, as JSON that is the same for the same settings."""
        return self.model_dump_json(exclude_defaults=True)

    @property
    def hash(self) -> str:
        """SHA-256 of the JSON, in hexadecimal."""
        return hashlib.sha256(self.stated.encode()).hexdigest()


class CommunitySettings(Section):
    """A whole settings file."""

    defaults: Community = Field(Community(), description="what holds for communities that do not say otherwise")
    communities: Mapping[Id, Community] = Field({}, description="communities by their id in the events")

    @property
    def all(self) -> dict[str, Community]:
        """Every community, the defaults included, by the id it is stored under."""
        return {DEFAULTS: with_built_in(self.defaults), **self.communities}


BUILT_IN = Community(
    zone="UTC",
    streaks=Streaks(),
    # Weights: Orbit's gravity, 1, 4, 7 and 10 from its outermost level in; visitors are outside of it. Days and grace:
    # Discourse's trust levels (days visited of the last 100; two weeks of grace), but milder, since many communities
    # live by the week: once a week for four weeks, three contributions a week, and something built every four weeks of
    # a season.
    ladder=(
        Level(level="visitor", weight=0, window_days=28),
        Level(level="participant", weight=1, window_days=28, min_active_days=1),
        Level(level="regular", weight=4, window_days=28, min_active_days=4),
        Level(level="contributor", weight=7, window_days=28, min_contributions=12),
        Level(level="co-builder", weight=10, window_days=84, min_hosted_or_cocreated=3),
    ),
)
"""What holds where nobody has set anything."""


def with_built_in(defaults: Community) -> Community:
    """The defaults of a file, completed by what is built in."""
    missing = {
        name: getattr(BUILT_IN, name) for name in ("zone", "ladder", "streaks") if getattr(defaults, name) is None
    }
    return defaults.model_copy(update=missing)
