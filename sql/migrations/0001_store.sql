-- title: storage databases and the facts
-- backend: any
-- Merging is a third of what storing costs, and a row is merged once a level: parts wait until sixteen can be merged (5 by
-- default), in large steps, and for others of about their size: with the default base of 5, what was merged was taken along with
-- the next thirteen to fifteen parts, and rewritten. Merging column by column (vertical) costs half as much again and saves
-- memory, so it is left to parts whose columns would not fit. A block of 50,000 events is one file (compact): a file a column took
-- longer to make than the rest of the insert.

CREATE DATABASE IF NOT EXISTS {store};

CREATE DATABASE IF NOT EXISTS {db};

CREATE TABLE IF NOT EXISTS {store}.events
(
    community_id      LowCardinality(String)            COMMENT 'Community in which the event happened',
    minute            DateTime('UTC')                   COMMENT 'Start of the minute of event_time: the smallest bucket',
    event_id          String                            COMMENT 'Publisher''s id, unique within the community',
    type              LowCardinality(String)            COMMENT 'Family: message, reaction, check_in, order, review, membership, identity, moderation',
    platform          LowCardinality(String)            COMMENT 'Platform that published the event',
    member_id         String                            COMMENT 'Member who acted, as the platform names them',
    actor_kind        LowCardinality(String) DEFAULT 'human' COMMENT 'human, bot, staff or test',
    occurred_at       DateTime64(3, 'UTC')              COMMENT 'When it happened, as published',
    event_time        DateTime64(3, 'UTC')              COMMENT 'occurred_at, or the minute of the receive time when clock_skewed = 1',
    sent_at           DateTime64(3, 'UTC') DEFAULT 0    COMMENT 'When the publisher sent it; 1970 when not stated. The greatest wins among versions of one event',
    received_at       DateTime64(3, 'UTC')              COMMENT 'Timestamp of the Kafka record',
    ingested_at       DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When the row was inserted (warehouse clock); no number depends on it',
    schema_version    UInt16                            COMMENT 'Version of the contract',
    clock_skewed      UInt8                             COMMENT '1 when occurred_at was too far in the future to be believed',
    text              String DEFAULT ''                 COMMENT 'Message or review text; forgotten 400 days after it was stored: what its words say of belonging is read before' CODEC(ZSTD(1)) TTL toDateTime(ingested_at) + INTERVAL 400 DAY,
    conversation_id   String DEFAULT ''                 COMMENT 'Thread, channel or topic of a message',
    reply_to          String DEFAULT ''                 COMMENT 'event_id of the message this one answers',
    mentions          Array(String)                     COMMENT 'member_ids mentioned in a message',
    language          LowCardinality(String) DEFAULT '' COMMENT 'BCP 47 tag of the text',
    action            LowCardinality(String) DEFAULT '' COMMENT 'reaction: add, remove; membership: join, leave, invite; identity: link, unlink; moderation: hide, restore, flag, erase',
    target_id         String DEFAULT ''                 COMMENT 'event_id a reaction or moderation is about',
    target_member_id  String DEFAULT ''                 COMMENT 'member a moderation is about',
    reaction          LowCardinality(String) DEFAULT '' COMMENT 'Emoji or name of the reaction',
    ritual            LowCardinality(String) DEFAULT '' COMMENT 'Recurring occasion a check-in belongs to',
    place             String DEFAULT ''                 COMMENT 'Where the check-in took place',
    mode              LowCardinality(String) DEFAULT '' COMMENT 'check_in: online or offline',
    order_id          String DEFAULT ''                 COMMENT 'Order this event is a step of',
    order_kind        LowCardinality(String) DEFAULT '' COMMENT 'standard, presale or group_buy',
    order_status      LowCardinality(String) DEFAULT '' COMMENT 'placed, deposit_paid, paid, fulfilled, cancelled or refunded',
    product_id        String DEFAULT ''                 COMMENT 'Product of an order or a review',
    demand_id         String DEFAULT ''                 COMMENT 'Demand the order answers',
    amount            Decimal(18, 4) DEFAULT 0          COMMENT 'Exact money of the order step, in currency',
    currency          LowCardinality(String) DEFAULT '' COMMENT 'ISO 4217 code',
    item_product_id   Array(String)                     COMMENT 'Order items: product, one element an item',
    item_quantity     Array(UInt32)                     COMMENT 'Order items: quantity',
    item_unit_price   Array(Decimal(18, 4))             COMMENT 'Order items: price of one, in currency; 0 when not stated',
    rating            Float32 DEFAULT 0                 COMMENT 'Review: 1 to 5; 0 when the event is no review',
    inviter_id        String DEFAULT ''                 COMMENT 'Membership: who invited',
    invitee_id        String DEFAULT ''                 COMMENT 'Membership: who was invited',
    role              LowCardinality(String) DEFAULT '' COMMENT 'Membership: role in the community',
    stage             LowCardinality(String) DEFAULT '' COMMENT 'Membership: stage of the member',
    linked_platform   LowCardinality(String) DEFAULT '' COMMENT 'Identity: platform of the linked account',
    linked_account_id String DEFAULT ''                 COMMENT 'Identity: account that is linked to member_id',
    flagged_kind      LowCardinality(String) DEFAULT '' COMMENT 'Moderation flag: the actor kind to take from now on',
    reason            String DEFAULT ''                 COMMENT 'Why, for moderation and membership',
    extra             String DEFAULT ''                 COMMENT 'JSON object of the fields the contract does not know; empty when there are none. Forgotten with the text' CODEC(ZSTD(1)) TTL toDateTime(ingested_at) + INTERVAL 400 DAY,
    event_key         UInt64                            COMMENT 'xxh3-64 of community_id, a zero byte and event_id',
    version           UInt64                            COMMENT 'Even: sent_at in ms and content hash; odd: the row is gone from this minute',
    is_deleted        UInt8 DEFAULT 0                   COMMENT '1 when the event moved to another minute',
    topic             LowCardinality(String)            COMMENT 'Kafka topic it came from',
    partition         UInt32                            COMMENT 'Kafka partition it came from',
    offset            Int64                             COMMENT 'Kafka offset it came from',
    INDEX by_minute minute TYPE minmax GRANULARITY 1,
    INDEX by_event_time event_time TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toYear(minute)
ORDER BY (toStartOfHour(minute), community_id, minute, event_id)
SETTINGS index_granularity = 2048, merge_max_block_size = 65536, min_parts_to_merge_at_once = 16, merge_selector_base = 12,
    min_age_to_force_merge_seconds = 600, min_age_to_force_merge_on_partition_only = 1,
    vertical_merge_algorithm_min_rows_to_activate = 16777216, min_bytes_for_wide_part = 67108864
COMMENT 'Facts: one live row per (community_id, event_id). Read the view {db}.events instead';

CREATE TABLE IF NOT EXISTS {store}.event_keys
(
    event_key   UInt64                              COMMENT 'xxh3-64 of community_id, a zero byte and event_id',
    minute      DateTime('UTC')                     COMMENT 'A minute in which the event was ever inserted',
    first_block SimpleAggregateFunction(min, UInt64) COMMENT 'The insert that brought it first: later ones are duplicates',
    last_block  SimpleAggregateFunction(max, UInt64) COMMENT 'The insert that brought it last: of two that overlap, one at least sees the other'
)
ENGINE = AggregatingMergeTree
ORDER BY (event_key, minute)
SETTINGS index_granularity = 256, min_parts_to_merge_at_once = 16, merge_selector_base = 12,
    min_age_to_force_merge_seconds = 600, min_age_to_force_merge_on_partition_only = 1
COMMENT 'Every event id ever stored, by hash: finds duplicates and moved events whenever they arrive';
