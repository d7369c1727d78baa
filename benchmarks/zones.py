"""What local days cost: `member_day` of a history recomputed in one zone and another, and a community that moves.

`python -m benchmarks.zones [events]`. CPU of the warehouse, because the machine may be busy.
"""

from __future__ import annotations

import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.meter import Meter
from streams.aggregates import members
from streams.aggregates.local import LocalTime
from streams.clickhouse import Warehouse
from streams.communities.apply import apply
from streams.communities.settings import Community, CommunitySettings
from streams.communities.zones import offsets_of
from streams.embedded.warehouse_process import EmbeddedWarehouse
from streams.migrations import migrate
from streams.processors.recompute import VersionClock, every_bucket, recompute
from streams.processors.zones import local_time
from streams.reconcile import restate
from streams.settings import Settings, WarehouseSettings

COMMUNITIES, DAYS = 20, 28
START = int(datetime(2024, 2, 20, tzinfo=UTC).timestamp())

FACTS = """
INSERT INTO {store}.events (community_id, minute, event_id, type, platform, member_id, occurred_at, event_time,
    received_at, schema_version, event_key, version, topic, partition, offset)
SELECT concat('c', toString(number % {communities:UInt32})) AS community,
    toStartOfMinute(toDateTime({start:UInt32} + cityHash64(number) % ({days:UInt32} * 86400), 'UTC')) AS at,
    toString(number), 'message', 'chat', concat('m', toString(cityHash64(number, 1) % 1000)), at, at, at,
    1, cityHash64(number), 2, 't', 0, number
FROM numbers({events:UInt64})
"""


def main(events: int) -> None:
    with EmbeddedWarehouse(Path(tempfile.mkdtemp())) as server:
        settings = Settings(warehouse=WarehouseSettings(url=server.url, database="zones"))
        warehouse = Warehouse(settings.warehouse)
        migrate(warehouse)
        numbers = {"communities": COMMUNITIES, "start": START, "days": DAYS, "events": events}
        warehouse.command(FACTS, numbers)
        restate(settings, warehouse)
        clock, names = VersionClock(warehouse), [f"c{number}" for number in range(COMMUNITIES)]
        days = every_bucket(warehouse, members.DAY, names)
        for zone in ("UTC", "America/New_York", "Asia/Shanghai", "Asia/Kolkata"):
            local = LocalTime({}, {zone: offsets_of(zone)}, zone)
            with Meter({"warehouse": server.pid}) as meter:
                recompute(warehouse, members.DAY, days, {}, clock.take(), local)
            cpu_s = meter.costs["warehouse"].cpu_s
            print(f"member_day in {zone:<18} {cpu_s / events * 1e6:6.2f} us/event {meter.seconds:6.2f} s", flush=True)
        moved = CommunitySettings(communities={name: Community(zone="Asia/Shanghai") for name in names})
        with Meter({"warehouse": server.pid}) as meter:
            applied = apply(warehouse, moved, lambda told: None)
            dirty = every_bucket(warehouse, members.DAY, list(applied.restated))
            recompute(warehouse, members.DAY, dirty, dirty, clock.take(), local_time(warehouse))
        print(
            f"{len(applied.restated)} communities of {events // COMMUNITIES:,} events move to another zone: "
            f"{meter.costs['warehouse'].cpu_s:.2f} s of CPU, {meter.seconds:.2f} s",
            flush=True,
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 500_000)
