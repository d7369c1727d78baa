"""Settings come into force whatever crashed before, and what depends on them is computed anew, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from folds import check, together
from histories import Delivery, send
from oracle import Declared, Event
from pipeline import BreakableWarehouse, Crash, Faults, Lab, Log

from streams.aggregates import ALL
from streams.communities.apply import Applied, apply, in_force
from streams.communities.settings import BUILT_IN, Community, CommunitySettings
from streams.communities.watch import Watch
from streams.processors.ingest import Message
from streams.processors.invalidations import Invalidation, encode
from streams.reconcile import reconcile
from streams.topics.internal import INVALIDATIONS

pytestmark = pytest.mark.connected

NIGHT = datetime(2024, 3, 9, 22, tzinfo=UTC)
RECEIVED_MS = int(datetime(2024, 3, 12, tzinfo=UTC).timestamp() * 1000)


@pytest.fixture(autouse=True)
def _nothing_is_set(lab: Lab) -> None:
    apply(lab.warehouse, CommunitySettings(), lambda told: None)


class Place:
    """Some communities of one world with a message every four hours, and the settings that are applied to them."""

    def __init__(self, lab: Lab) -> None:
        self.lab, self.log, self.world = lab, Log(), lab.world()
        self.prefix = lab.settings.kafka.topic_prefix
        self.oracle = send(
            [self.message(name, step) for name in "abc" for step in range(20)], self.log, self.prefix, self.world
        )
        self.worker = lab.worker(self.log)
        lab.run(self.worker.drain())
        self.told: list[Invalidation] = []

    @staticmethod
    def message(community: str, step: int) -> Delivery:
        event = {
            "event_id": f"{step}",
            "type": "message",
            "platform": "wechat",
            "community_id": community,
            "member_id": "ann",
            "occurred_at": datetime.fromtimestamp(NIGHT.timestamp() + step * 4 * 3600 - 1, UTC).isoformat(),
            "text": "",
        }
        return Delivery("message", event, b"", RECEIVED_MS)

    def tell(self, told: Sequence[Invalidation]) -> None:
        topic = INVALIDATIONS.topic(self.prefix)
        for each in told:
            self.told.append(each)
            self.log.append(topic, each.community_id.encode(), encode(each), 0)

    def settings(self, default: str = "UTC", **zones: str) -> CommunitySettings:
        communities = {f"{self.world}{name}": Community(zone=zone) for name, zone in zones.items()}
        return CommunitySettings(defaults=Community(zone=default), communities=communities)

    def apply(self, default: str = "UTC", **zones: str) -> Applied:
        applied = apply(self.lab.warehouse, self.settings(default, **zones), self.tell)
        self.lab.run(self.worker.drain())
        return applied

    def check(self, default: str = "UTC", **zones: str) -> None:
        def zone_of(community: str) -> str:
            return zones.get(community.removeprefix(self.world), default)

        check(self.lab.warehouse, self.oracle, self.world, zone_of=zone_of)
        assert [] == reconcile(self.lab.warehouse, settle_s=0)


@pytest.fixture
def place(lab: Lab) -> Place:
    for table in ("events", *(aggregate.name for aggregate in ALL)):
        lab.warehouse.command(f"TRUNCATE TABLE {{store}}.{table}")
    return Place(lab)


def named(place: Place, *names: str) -> list[str]:
    return [f"{place.world}{name}" for name in names]


def test_a_zone_that_changes_moves_the_days_of_its_community_and_of_no_other(place: Place) -> None:
    place.check()
    place.apply(a="Asia/Shanghai", b="America/New_York")
    assert named(place, "a", "b") == [each.community_id for each in place.told]
    place.check(a="Asia/Shanghai", b="America/New_York")
    place.apply(a="Asia/Kolkata", b="America/New_York")
    assert named(place, "a", "b", "a") == [each.community_id for each in place.told]
    place.check(a="Asia/Kolkata", b="America/New_York")
    place.apply(b="America/New_York")
    place.check(b="America/New_York")


def test_a_default_zone_moves_the_days_of_those_that_have_none(place: Place) -> None:
    place.apply(a="Asia/Tokyo")
    assert set(named(place, "b", "c")) == set(place.apply("Asia/Shanghai", a="Asia/Tokyo").restated)
    place.check("Asia/Shanghai", a="Asia/Tokyo")


def test_views_tell_hours_in_the_zone_of_a_community_or_in_the_default(place: Place) -> None:
    said = place.settings("Asia/Shanghai", a="Asia/Tokyo")
    nothing_of_zones = {f"{place.world}b": Community(since=date(2020, 1, 1))}
    apply(place.lab.warehouse, said.model_copy(update={"communities": said.communities | nothing_of_zones}), place.tell)
    place.lab.run(place.worker.drain())
    # What happened after it was received is told by when it was received.
    moments = [NIGHT + timedelta(hours=4 * step, seconds=-1) for step in range(12)]
    for name, zone in {"a": "Asia/Tokyo", "b": "Asia/Shanghai", "c": "Asia/Shanghai"}.items():
        local = [moment.astimezone(ZoneInfo(zone)) for moment in moments]
        assert [(at.date(), at.hour, 1) for at in local] == place.lab.warehouse.rows(
            "SELECT day, hour, attendees FROM {db}.attendance_hour WHERE community_id = {name:String} "
            "ORDER BY day, hour LIMIT 12",
            {"name": f"{place.world}{name}"},
        )


def test_what_is_applied_again_changes_nothing_and_tells_nobody(place: Place) -> None:
    first = place.apply(a="Asia/Shanghai")
    assert {f"{place.world}a": ("zone",)} == first.changed
    assert Applied(0, {}, {}) == place.apply(a="Asia/Shanghai")
    assert 1 == len(place.told)


def test_a_dry_run_says_what_would_change_and_changes_nothing(place: Place) -> None:
    dry = apply(place.lab.warehouse, place.settings(a="Asia/Shanghai"), place.tell, dry_run=True)
    assert (0, {f"{place.world}a": ("zone",)}) == (dry.version, dry.restated)
    assert ([], {"": BUILT_IN}) == (
        place.told,
        {name: known.settings for name, known in in_force(place.lab.warehouse).items()},
    )
    place.check()


def test_a_ritual_that_gets_another_host_or_conversation_restates_what_was_done_at_it(place: Place) -> None:
    base = {"platform": "wechat", "community_id": "a", "occurred_at": NIGHT.isoformat()}
    came: list[Event] = [
        base | {"event_id": "e1", "type": "check_in", "member_id": "ann", "ritual": "dawn"},
        base | {"event_id": "e2", "type": "check_in", "member_id": "bo", "ritual": "dawn"},
        base | {"event_id": "e3", "type": "message", "member_id": "bo", "text": "", "conversation_id": "hall"},
    ]
    said = [Delivery(event["type"], event, b"", RECEIVED_MS) for event in came]
    oracle = together([place.oracle, send(said, place.log, place.prefix, place.world)])
    place.lab.run(place.worker.drain())
    for declared in (Declared("ann"), Declared("bo", "hall"), Declared()):
        own = {"every": "day", "at": "07:00", **declared._asdict()}
        settings = {f"{place.world}a": Community.model_validate({"rituals": {"dawn": own}})}
        apply(place.lab.warehouse, CommunitySettings(communities=settings), place.tell)
        place.lab.run(place.worker.drain())
        rituals = {f"{place.world}a": {"dawn": declared}}
        check(place.lab.warehouse, oracle, place.world, rituals_of=lambda name, said=rituals: said.get(name, {}))


def test_parts_that_no_stored_number_depends_on_tell_nobody(place: Place) -> None:
    community = f"{place.world}a"
    settings = CommunitySettings(
        communities={community: Community(name="Tea", holidays={date(2024, 3, 8): "Women's Day"})}
    )
    assert ({community: ("name", "holidays")}, {}) == (
        (applied := apply(place.lab.warehouse, settings, place.tell)).changed,
        applied.restated,
    )
    rows = place.lab.warehouse.rows(
        "SELECT day, name FROM {db}.holidays WHERE community_id = {c:String}", {"c": community}
    )
    assert [(date(2024, 3, 8), "Women's Day")] == rows


def test_offsets_that_were_corrected_move_the_days_of_the_zone(place: Place) -> None:
    place.apply(a="Asia/Shanghai", b="Asia/Tokyo")
    for damage in (
        "INSERT INTO {store}.zone_offsets SELECT * REPLACE (from_utc + 60 AS from_utc) FROM {store}.zone_offsets FINAL "
        "WHERE zone = 'Asia/Shanghai'",
        "DELETE FROM {store}.zone_offsets WHERE zone = 'Asia/Shanghai'",
    ):
        place.lab.warehouse.command(damage)
        applied = place.apply(a="Asia/Shanghai", b="Asia/Tokyo")
        assert {f"{place.world}a": ("zone",)} == applied.changed == applied.restated
        place.check(a="Asia/Shanghai", b="Asia/Tokyo")


def test_every_version_is_kept_with_what_changed(place: Place) -> None:
    place.apply(a="Asia/Shanghai")
    place.apply(a="Asia/Tokyo")
    place.apply()
    rows = place.lab.warehouse.rows(
        "SELECT parts, settings, complete FROM {db}.community_settings_history WHERE community_id = {c:String} "
        "ORDER BY applied_at",
        {"c": f"{place.world}a"},
    )
    expected = ['{"zone":"Asia/Shanghai"}', '{"zone":"Asia/Tokyo"}', ""]
    assert [(["zone"], settings, 1) for settings in expected] == rows


@pytest.mark.thorough
def test_settings_come_into_force_whatever_crashed_before(lab: Lab, place: Place) -> None:
    """Killed before each write in turn; then the same is applied, or what was before, or something else."""
    zones = ["Asia/Shanghai", "America/New_York", "Asia/Kolkata"]
    now, at, fired = 0, -1, True
    place.apply(a=zones[now])
    while fired:
        at += 1
        faults = Faults(at)

        def tell(told: Sequence[Invalidation], faults: Faults = faults) -> None:
            if faults.next("tell"):
                raise Crash("tell")
            place.tell(told)

        breakable = BreakableWarehouse(lab.warehouse, faults)
        with suppress(Crash):
            apply(breakable, place.settings(a=zones[(now + 1) % 3]), tell)  # type: ignore[arg-type]
        fired = faults.fired
        # What comes meanwhile is computed with whatever is in the tables.
        late = send([place.message("a", 30 + at)], place.log, place.prefix, place.world)
        place.oracle = replace(place.oracle, facts=place.oracle.facts | late.facts)
        lab.run(place.worker.drain())
        now = (now + (1, 0, 2)[at % 3]) % 3
        place.apply(a=zones[now])
        zone_of = {f"{place.world}a": zones[now]}
        check(lab.warehouse, place.oracle, place.world, zone_of=lambda name, zone_of=zone_of: zone_of.get(name, "UTC"))
    assert ["insert community_settings_history", "tell", "insert community_settings_history"] == [
        name for name in faults.names if "history" in name or name == "tell"
    ]


def test_a_watched_file_is_applied_when_it_changes_and_a_bad_one_is_left_alone(place: Place, tmp_path: Path) -> None:
    file = tmp_path / "communities.yml"

    async def publish(messages: Sequence[Message]) -> None:
        for message in messages:
            place.log.append(message.topic, message.key, message.value, 0)

    watch = Watch(file, 1, place.lab.warehouse, INVALIDATIONS.topic(place.prefix), publish)

    def zone() -> str | None:
        place.lab.run(watch.look())
        known = in_force(place.lab.warehouse).get(f"{place.world}a")
        return known.settings.zone if known else None

    assert zone() is None
    text = f"communities: {{'{place.world}a': {{zone: Asia/Shanghai}}}}"
    file.write_text(text)
    assert "Asia/Shanghai" == zone()
    file.write_text(text.replace("Shanghai", "Shangai"))
    assert "Asia/Shanghai" == zone()
    file.unlink()
    assert "Asia/Shanghai" == zone()
    file.write_text(text.replace("Shanghai", "Tokyo"))
    assert "Asia/Tokyo" == zone()
    place.lab.run(place.worker.drain())
    place.check(a="Asia/Tokyo")


def test_a_day_is_settled_when_it_is_over_in_its_zone(place: Place) -> None:
    """At the watermark, 10:30 of the 10th of March in UTC, it is the 11th in Kiritimati and the 9th in Pago Pago."""
    place.apply(a="Pacific/Kiritimati", b="Pacific/Pago_Pago")
    place.lab.warehouse.command(
        "INSERT INTO {store}.progress (topic, partition, watermark, offset, lag, updated_at) "
        "VALUES ('settled', 0, '2024-03-10 10:30:00', 0, 0, now64(3))"
    )
    rows = place.lab.warehouse.rows(
        "SELECT community_id, toString(max(toDate(start))) FROM {db}.member_day "
        "WHERE settled AND startsWith(community_id, {world:String}) GROUP BY community_id ORDER BY community_id",
        {"world": place.world},
    )
    assert [(f"{place.world}a", "2024-03-10"), (f"{place.world}c", "2024-03-09")] == rows
