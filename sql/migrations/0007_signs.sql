-- title: signs of belonging
-- backend: any

CREATE TABLE IF NOT EXISTS {store}.sign_hour
(
    community_id LowCardinality(String)  COMMENT 'Community',
    start        DateTime('UTC')         COMMENT 'Start of the hour, event time, UTC',
    kind         LowCardinality(String)  COMMENT 'value: a message spoke of it; support, question: a message asked for it; thanks: a message thanked; ritual, place: a check-in; conversation: a message in one that a declared ritual names; product: an order or review; group_buy: an order paid together; role, stage: what the member was said to be',
    ref          String                  COMMENT 'value: its name; support, question, thanks: event_id; ritual, place, product: the same; conversation: minute of the hour, a space, conversation_id; group_buy: order_id',
    member_id    String                  COMMENT 'Member who acted',
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
ORDER BY (toStartOfDay(start), community_id, start, kind, ref, member_id, actor_kind)
SETTINGS index_granularity = 256, min_parts_to_merge_at_once = 16,
    min_age_to_force_merge_seconds = 600, min_age_to_force_merge_on_partition_only = 1
COMMENT 'What members'' events are signs of, by hour, recomputed from facts. Read the views of {db} instead';
