"""The communities that are simulated: where they live, how large and how they change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from streams.simulate.topic import Topic
from streams.simulate.topics_en import BOARDGAMES, CERAMICS, COFFEE, RUNNING
from streams.simulate.topics_zh import CAMPING, COOKING, MAKEUP, PETS

# Share of a day's events in each local hour, as weights; the mean is brought to 1.
EVENING = (3, 2, 1, 1, 1, 2, 4, 7, 8, 7, 7, 8, 10, 8, 7, 7, 7, 8, 10, 13, 16, 17, 13, 7)
MORNING = (1, 1, 1, 1, 2, 8, 15, 17, 12, 8, 7, 7, 9, 7, 6, 6, 7, 9, 11, 11, 9, 7, 4, 2)
OFFICE = (1, 1, 1, 1, 1, 2, 4, 8, 13, 15, 15, 13, 11, 13, 14, 14, 12, 10, 7, 6, 6, 5, 3, 2)


@dataclass(frozen=True)
class Ritual:
    """A check-in at the same local hour of the same weekdays (0 = Monday)."""

    name: str
    weekdays: tuple[int, ...]
    hour: int
    place: str
    mode: str = "offline"


@dataclass(frozen=True)
class Community:
    """One simulated community.

    `share` is its part of all events relative to the others; `weekly_growth` the factor by which activity changes per
    week (above 1 grows, below 1 declines; it stops at a tenth and at four times the start).
    """

    id: str
    topic: Topic
    zone: str
    chat: str = "discord"
    shop: str = "shop"
    members: int = 300
    share: float = 1.0
    weekly_growth: float = 1.0
    hours: tuple[int, ...] = EVENING
    weekend: float = 1.2  # Saturdays and Sundays against other days
    rituals: tuple[Ritual, ...] = ()


PRESETS: tuple[Community, ...] = (
    Community(
        "dawn-makeup", MAKEUP, "Asia/Shanghai", "wechat", "youzan", 900, 3.0, 1.03, MORNING, 0.9,
        (Ritual("晨间素颜打卡", (0, 1, 2, 3, 4), 7, "群内", "online"), Ritual("周日空瓶会", (6,), 15, "静安店")),
    ),
    Community(
        "riverside-runners", RUNNING, "Europe/London", "discord", "shopify", 500, 1.6, 1.0, MORNING, 1.6,
        (Ritual("saturday-long-run", (5,), 8, "boathouse"), Ritual("thursday-track", (3,), 19, "track")),
    ),
    Community(
        "wild-camping", CAMPING, "Asia/Shanghai", "wechat", "youzan", 600, 1.8, 1.05, EVENING, 1.5,
        (Ritual("周六搭营", (5,), 10, "湖边营地"),),
    ),
    Community(
        "studio-clay", CERAMICS, "America/New_York", "discord", "shopify", 180, 0.7, 1.01, EVENING, 1.3,
        (Ritual("open-studio", (2,), 18, "studio"), Ritual("kiln-opening", (6,), 11, "studio")),
    ),
    Community(
        "slow-kitchen", COOKING, "Asia/Shanghai", "wechat", "youzan", 1200, 2.4, 1.0, EVENING, 1.1,
        (Ritual("每日晒饭", (0, 1, 2, 3, 4, 5, 6), 19, "群内", "online"),),
    ),
    Community(
        "roast-lab", COFFEE, "Europe/Berlin", "telegram", "shopify", 260, 0.8, 0.98, OFFICE, 0.8,
        (Ritual("friday-cupping", (4,), 17, "roastery"),),
    ),
    Community(
        "cat-stairs", PETS, "Asia/Shanghai", "wechat", "youzan", 700, 1.5, 1.02, EVENING, 1.2,
        (Ritual("周三晒猫", (2,), 21, "群内", "online"),),
    ),
    Community(
        "wednesday-tables", BOARDGAMES, "America/Los_Angeles", "discord", "shopify", 220, 0.9, 0.9, EVENING, 1.1,
        (Ritual("wednesday-tables", (2,), 19, "library"),),
    ),
)  # fmt: skip


def communities_of(number: int) -> tuple[Community, ...]:
    """The first `number` communities; past the presets they repeat under ids with a number, ever smaller."""
    chosen = []
    for i in range(number):
        preset, turn = PRESETS[i % len(PRESETS)], i // len(PRESETS)
        chosen.append(
            preset if not turn else replace(preset, id=f"{preset.id}-{turn + 1}", share=preset.share / (turn + 1))
        )
    return tuple(chosen)


def daily_weights(community: Community) -> Sequence[float]:
    """Weight of each local hour; the mean is 1."""
    mean = sum(community.hours) / 24
    return [hour / mean for hour in community.hours]


def weekly_weights(community: Community) -> Sequence[float]:
    """Weight of each local weekday from Monday on; the mean is 1."""
    mean = (5 + 2 * community.weekend) / 7
    return [(1 if day < 5 else community.weekend) / mean for day in range(7)]
