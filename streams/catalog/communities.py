"""Settings of communities as they apply: views without a metric of their own."""

from __future__ import annotations

from streams.catalog.metric import Relation

RELATIONS: tuple[Relation, ...] = (
    Relation(
        "communities",
        "Every community: those that have settings, and those that anything happened in.",
        {
            "name": "What people call it; its id when the settings do not say",
            "zone": "IANA zone that its days and weeks are told in: its own, the default, or UTC",
            "since": "First local day of its life; NULL when the settings do not say",
        },
    ),
    Relation(
        "community_offsets",
        "Offsets from UTC of a community, a row a change of its clocks: which offset holds from which moment on.",
        {
            "from_utc": "From this moment on",
            "offset_s": "Seconds to add to UTC for the local time, until the next row of the community",
        },
    ),
    Relation(
        "declared_rituals",
        "Rituals a community declared, a row a ritual and weekday.",
        {"hosts": "Persons who host it: whoever is called as the settings say, or has an account that is"},
    ),
    Relation("value_terms", "Words and phrases that speak of a value of a community.", {}),
    Relation("value_acts", "What counts as acting on a value of a community.", {}),
    Relation("ladder_levels", "Steps from visitor to co-builder in a community, and what each asks for.", {}),
    Relation("streak_rules", "What a streak of active days forgives in a community.", {}),
    Relation("holidays", "Local days on which less is expected of a community.", {}),
    Relation(
        "community_settings_history",
        "Every version of the settings of a community that was ever applied; of the defaults where its id is empty.",
        {
            "applied_at": "When they were applied, clock of the warehouse",
            "parts": "Parts that changed: zone, name, rituals, values, ladder, streaks, holidays",
            "settings": "JSON object of what the community itself sets; empty when its settings were removed",
            "hash": "SHA-256 of `settings`, in hexadecimal",
            "complete": "0 when what depends on them was not told yet: apply the file again",
        },
    ),
)
