"""Every Prometheus metric of the worker, declared once.

Each consumed record is counted into exactly one outcome: the sum of `streams_records_total` over its outcomes equals
`streams_records_consumed_total`. Timestamps are exported, not ages; no member or community is ever a label.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REGISTRY = CollectorRegistry()

OUTCOMES = ("stored", "duplicate", "rejected")
"""stored: a fact that was not there; duplicate: its event id was; rejected: now a dead letter."""

RECORDS_CONSUMED = Counter(
    "streams_records_consumed",
    "Records whose outcome is settled and whose offset may be committed.",
    ["topic"],
    registry=REGISTRY,
)
RECORDS = Counter("streams_records", "Records by outcome.", ["topic", "outcome"], registry=REGISTRY)
REJECTS = Counter("streams_rejects", "Rejected records by reason.", ["topic", "reason"], registry=REGISTRY)
LATE_EVENTS = Counter(
    "streams_late_events", "Events behind the watermark of their partition, by how far.", ["age"], registry=REGISTRY
)
BATCH_RECORDS = Histogram(
    "streams_batch_records",
    "Records in one micro-batch of one partition.",
    buckets=(1, 10, 100, 1_000, 5_000, 20_000, 50_000),
    registry=REGISTRY,
)
BLOCK_ROWS = Histogram(
    "streams_block_rows", "Facts in one insert.", buckets=(1, 10, 100, 1_000, 5_000, 20_000, 50_000), registry=REGISTRY
)
INSERT_SECONDS = Histogram(
    "streams_insert_seconds",
    "Time to store one block of facts, retries included.",
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
    registry=REGISTRY,
)
INGEST_LATENCY_SECONDS = Histogram(
    "streams_ingest_latency_seconds",
    "From the Kafka timestamp of the oldest record of a block to its facts being stored.",
    buckets=(0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 30, 60, 300, 3600),
    registry=REGISTRY,
)
QUERYABLE_LATENCY_SECONDS = Histogram(
    "streams_queryable_latency_seconds",
    "From the Kafka timestamp of the oldest record behind an invalidation to its minute buckets being recomputed.",
    buckets=(0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 30, 60, 300, 3600),
    registry=REGISTRY,
)
RECOMPUTED_BUCKETS = Counter("streams_recomputed_buckets", "Buckets recomputed.", ["aggregate"], registry=REGISTRY)
RECOMPUTE_SECONDS = Histogram(
    "streams_recompute_seconds",
    "Time to recompute one set of dirty buckets of one aggregate.",
    ["aggregate"],
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
    registry=REGISTRY,
)
DIRTY_BUCKETS = Gauge(
    "streams_dirty_buckets",
    "Buckets waiting to be recomputed, at the most; of days, their hours.",
    ["stage"],
    registry=REGISTRY,
)
BAD_INVALIDATIONS = Counter(
    "streams_bad_invalidations", "Records of the invalidations topic that are not invalidations.", registry=REGISTRY
)
COMMUNITY_SETTINGS_VALID = Gauge(
    "streams_community_settings_valid",
    "1 when the watched settings file of communities was taken, 0 when it has faults and what was in force stays.",
    registry=REGISTRY,
)
WAREHOUSE_RETRIES = Counter(
    "streams_warehouse_retries", "Attempts that failed because the warehouse was away.", registry=REGISTRY
)
LAG = Gauge(
    "kafka_consumergroup_lag",
    "Records of an assigned partition that are not yet acknowledged.",
    ["consumergroup", "topic", "partition"],
    registry=REGISTRY,
)
WATERMARK = Gauge(
    "streams_watermark_timestamp_seconds",
    "Event time up to which a partition is complete.",
    ["topic", "partition"],
    registry=REGISTRY,
)
PARTITION_STOPPED = Gauge(
    "streams_partition_stopped",
    "1 when the circuit breaker stopped a partition.",
    ["topic", "partition"],
    registry=REGISTRY,
)
