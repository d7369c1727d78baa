-- title: ties between members, and who names whom
-- backend: any

CREATE TABLE IF NOT EXISTS {store}.references
(
    target_key   UInt64                  COMMENT 'xxh3-64 of community_id, a zero byte and event_id of an event that is named, whether it has arrived or not',
    community_id LowCardinality(String)  COMMENT 'Community',
    minute       DateTime('UTC')         COMMENT 'A minute in which an event that names it was ever inserted'
)
ENGINE = ReplacingMergeTree
ORDER BY (target_key, community_id, minute)
SETTINGS index_granularity = 256, min_parts_to_merge_at_once = 16, merge_selector_base = 12,
    min_age_to_force_merge_seconds = 600, min_age_to_force_merge_on_partition_only = 1
COMMENT 'Who names an event, by hash: the minutes to recompute when it changes. Never shrinks';

CREATE MATERIALIZED VIEW IF NOT EXISTS {store}.references_of_events TO {store}.references
(
    target_key   UInt64                  COMMENT 'What is named, by hash',
    community_id LowCardinality(String)  COMMENT 'Community',
    minute       DateTime('UTC')         COMMENT 'Minute of the event that names it'
)
AS SELECT
    xxh3(concat(community_id, '\0', if(type = 'reaction', target_id, reply_to))) AS target_key,
    community_id,
    minute
FROM {store}.events
WHERE type = 'reaction' OR (type = 'message' AND reply_to != '')
COMMENT 'Records what each inserted event names. A set, so that an insert may be repeated';

CREATE TABLE IF NOT EXISTS {store}.tie_minute
(
    community_id LowCardinality(String)  COMMENT 'Community',
    start        DateTime('UTC')         COMMENT 'Start of the minute, event time',
    kind         LowCardinality(String)  COMMENT 'start: wrote a message that answers none; reply, mention, reaction: to another member; attended: checked in at a ritual',
    member_id    String                  COMMENT 'Member who acted',
    actor_kind   LowCardinality(String)  COMMENT 'Kind of the member: human, bot, staff or test',
    other_id     String                  COMMENT 'Member whom it reached; empty for start and attended, and while the event it answers is not known',
    other_kind   LowCardinality(String)  COMMENT 'Kind of the other; empty when other_id is, and for mention',
    subject_id   String                  COMMENT 'start: event_id of the message. reply: event_id of the message answered, when it is a start. attended: the ritual. While other_id is empty: the event that is not known',
    subject_at   DateTime64(3, 'UTC')    COMMENT 'Event time of the start; 1970 for everything else',
    events       Int64                   COMMENT 'Events; a reaction that was taken back counts -1',
    first_at     DateTime64(3, 'UTC')    COMMENT 'First event of the bucket, event time',
    last_at      DateTime64(3, 'UTC')    COMMENT 'Last event of the bucket, event time',
    version      UInt64                  COMMENT 'Warehouse clock in us, taken before the facts were read',
    is_deleted   UInt8 DEFAULT 0         COMMENT '1 when the bucket has become empty',
    INDEX by_start start TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toYear(start)
ORDER BY (toStartOfMonth(start), community_id, start, kind, member_id, actor_kind, other_id, other_kind, subject_id, subject_at)
SETTINGS index_granularity = 2048, min_parts_to_merge_at_once = 16, merge_selector_base = 12,
    min_age_to_force_merge_seconds = 600, min_age_to_force_merge_on_partition_only = 1
COMMENT 'Who reached whom by minute, recomputed from facts. Read the views of {db} instead';

CREATE TABLE IF NOT EXISTS {store}.awaited
(
    target_key   UInt64                  COMMENT 'xxh3-64 of community_id, a zero byte and event_id of an event that was named and not known',
    community_id LowCardinality(String)  COMMENT 'Community',
    minute       DateTime('UTC')         COMMENT 'Minute of an event that names it'
)
ENGINE = ReplacingMergeTree
ORDER BY (target_key, community_id, minute)
SETTINGS index_granularity = 256
COMMENT 'Events that were named before they came, by hash: the minutes to recompute when they come. Never shrinks';

CREATE MATERIALIZED VIEW IF NOT EXISTS {store}.awaited_of_ties TO {store}.awaited
(
    target_key   UInt64                  COMMENT 'What is awaited, by hash',
    community_id LowCardinality(String)  COMMENT 'Community',
    minute       DateTime('UTC')         COMMENT 'Minute of the event that names it'
)
AS SELECT xxh3(concat(community_id, '\0', subject_id)) AS target_key, community_id, start AS minute
FROM {store}.tie_minute
WHERE other_id = '' AND kind IN ('reply', 'reaction') AND is_deleted = 0
COMMENT 'Records what each recompute did not find. A set, so that a recompute may be repeated';

-- What was stored before these tables were.
INSERT INTO {store}.references
SELECT DISTINCT
    xxh3(concat(community_id, '\0', if(type = 'reaction', target_id, reply_to))) AS target_key,
    community_id,
    minute
FROM {store}.events
WHERE type = 'reaction' OR (type = 'message' AND reply_to != '');
