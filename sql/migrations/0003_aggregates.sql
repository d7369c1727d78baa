-- title: aggregates, progress and freshness
-- backend: any
-- Hours have small granules: a panel reads those of one community from every day, and sets of members are dear to read.

CREATE TABLE IF NOT EXISTS {store}.activity_minute
(
    community_id LowCardinality(String)                COMMENT 'Community',
    start        DateTime('UTC')                       COMMENT 'Start of the minute, event time',
    family       LowCardinality(String)                COMMENT 'Event type; hosting: a check-in of the host at a declared ritual',
    platform     LowCardinality(String)                COMMENT 'Platform that published the events',
    actor_kind   LowCardinality(String)                COMMENT 'human, bot, staff or test',
    events       UInt64                                COMMENT 'Events',
    members      AggregateFunction(uniqExact, String)  COMMENT 'Exact set of the members who acted; merge, do not add',
    version      UInt64                                COMMENT 'Warehouse clock in us, taken before the facts were read',
    is_deleted   UInt8 DEFAULT 0                       COMMENT '1 when the bucket has become empty',
    INDEX by_start start TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toYear(start)
ORDER BY (toStartOfHour(start), community_id, start, family, platform, actor_kind)
SETTINGS index_granularity = 2048, min_parts_to_merge_at_once = 16, merge_selector_base = 12,
    min_age_to_force_merge_seconds = 600, min_age_to_force_merge_on_partition_only = 1
COMMENT 'Activity per community by minute, recomputed from facts. Read the views of {db} instead';

CREATE TABLE IF NOT EXISTS {store}.activity_hour
(
    community_id LowCardinality(String)                COMMENT 'Community',
    start        DateTime('UTC')                       COMMENT 'Start of the hour, event time, UTC',
    family       LowCardinality(String)                COMMENT 'Event type; hosting: a check-in of the host at a declared ritual',
    platform     LowCardinality(String)                COMMENT 'Platform that published the events',
    actor_kind   LowCardinality(String)                COMMENT 'human, bot, staff or test',
    events       UInt64                                COMMENT 'Events',
    members      AggregateFunction(uniqExact, String)  COMMENT 'Exact set of the members who acted; merge, do not add',
    version      UInt64                                COMMENT 'Warehouse clock in us, taken before the facts were read',
    is_deleted   UInt8 DEFAULT 0                       COMMENT '1 when the bucket has become empty',
    INDEX by_start start TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toYear(start)
ORDER BY (toStartOfDay(start), community_id, start, family, platform, actor_kind)
SETTINGS index_granularity = 256, min_parts_to_merge_at_once = 16,
    min_age_to_force_merge_seconds = 600, min_age_to_force_merge_on_partition_only = 1
COMMENT 'Activity per community by hour, recomputed from minutes. Read the views of {db} instead';

CREATE TABLE IF NOT EXISTS {store}.activity_day
(
    community_id LowCardinality(String)                COMMENT 'Community',
    start        DateTime('UTC')                       COMMENT 'Start of the day, event time, UTC',
    family       LowCardinality(String)                COMMENT 'Event type; hosting: a check-in of the host at a declared ritual',
    platform     LowCardinality(String)                COMMENT 'Platform that published the events',
    actor_kind   LowCardinality(String)                COMMENT 'human, bot, staff or test',
    events       UInt64                                COMMENT 'Events',
    members      AggregateFunction(uniqExact, String)  COMMENT 'Exact set of the members who acted; merge, do not add',
    version      UInt64                                COMMENT 'Warehouse clock in us, taken before the facts were read',
    is_deleted   UInt8 DEFAULT 0                       COMMENT '1 when the bucket has become empty',
    INDEX by_start start TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toYear(start)
ORDER BY (toStartOfMonth(start), community_id, start, family, platform, actor_kind)
SETTINGS min_parts_to_merge_at_once = 16,
    min_age_to_force_merge_seconds = 600, min_age_to_force_merge_on_partition_only = 1
COMMENT 'Activity per community by day, recomputed from hours. Read the views of {db} instead';

CREATE TABLE IF NOT EXISTS {store}.member_hour
(
    community_id LowCardinality(String)  COMMENT 'Community',
    start        DateTime('UTC')         COMMENT 'Start of the hour, event time, UTC',
    member_id    String                  COMMENT 'Member who acted',
    family       LowCardinality(String)  COMMENT 'Event type; hosting: a check-in of the host at a declared ritual',
    platform     LowCardinality(String)  COMMENT 'Platform that published the events',
    actor_kind   LowCardinality(String)  COMMENT 'human, bot, staff or test',
    events       UInt64                  COMMENT 'Events',
    first_at     DateTime64(3, 'UTC')    COMMENT 'First event of the bucket, event time',
    last_at      DateTime64(3, 'UTC')    COMMENT 'Last event of the bucket, event time',
    version      UInt64                  COMMENT 'Warehouse clock in us, taken before the facts were read',
    is_deleted   UInt8 DEFAULT 0         COMMENT '1 when the bucket has become empty',
    INDEX by_start start TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toYear(start)
ORDER BY (toStartOfDay(start), community_id, start, member_id, family, platform, actor_kind)
SETTINGS index_granularity = 512, min_parts_to_merge_at_once = 16,
    min_age_to_force_merge_seconds = 600, min_age_to_force_merge_on_partition_only = 1
COMMENT 'Events per member by hour, recomputed from facts. Read the views of {db} instead';

CREATE TABLE IF NOT EXISTS {store}.member_day
(
    community_id LowCardinality(String)  COMMENT 'Community',
    start        DateTime('UTC')         COMMENT 'Start of the day, event time, UTC',
    member_id    String                  COMMENT 'Member who acted',
    family       LowCardinality(String)  COMMENT 'Event type; hosting: a check-in of the host at a declared ritual',
    platform     LowCardinality(String)  COMMENT 'Platform that published the events',
    actor_kind   LowCardinality(String)  COMMENT 'human, bot, staff or test',
    events       UInt64                  COMMENT 'Events',
    first_at     DateTime64(3, 'UTC')    COMMENT 'First event of the bucket, event time',
    last_at      DateTime64(3, 'UTC')    COMMENT 'Last event of the bucket, event time',
    version      UInt64                  COMMENT 'Warehouse clock in us, taken before the facts were read',
    is_deleted   UInt8 DEFAULT 0         COMMENT '1 when the bucket has become empty',
    INDEX by_start start TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toYear(start)
ORDER BY (toStartOfMonth(start), community_id, start, member_id, family, platform, actor_kind)
SETTINGS min_parts_to_merge_at_once = 16,
    min_age_to_force_merge_seconds = 600, min_age_to_force_merge_on_partition_only = 1
COMMENT 'Events per member by day, recomputed from hours. Read the views of {db} instead';

CREATE TABLE IF NOT EXISTS {store}.progress
(
    topic      LowCardinality(String)                              COMMENT 'Kafka topic',
    partition  UInt32                                              COMMENT 'Kafka partition',
    watermark  SimpleAggregateFunction(max, DateTime64(3, 'UTC'))  COMMENT 'Latest event time stored from this partition, less the allowed disorder',
    offset     SimpleAggregateFunction(anyLast, Int64)             COMMENT 'First offset not yet stored',
    lag        SimpleAggregateFunction(anyLast, Int64)             COMMENT 'Records published and not yet stored, when last written',
    updated_at SimpleAggregateFunction(max, DateTime64(3, 'UTC'))  COMMENT 'When this was last written, worker clock'
)
ENGINE = AggregatingMergeTree
ORDER BY (topic, partition)
COMMENT 'How far ingest has come, by partition. Read {db}.pipeline_freshness instead';
