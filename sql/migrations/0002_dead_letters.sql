-- title: records that could not become facts
-- backend: any

CREATE TABLE IF NOT EXISTS {store}.dead_letters
(
    record_id     String                               COMMENT 'xxh3-128, in hex, of topic, partition, offset, timestamp and value: the same rejected record is one row',
    topic         LowCardinality(String)               COMMENT 'Kafka topic the record was read from',
    partition     UInt32                               COMMENT 'Kafka partition the record was read from',
    offset        Int64                                COMMENT 'Kafka offset the record was read from',
    received_at   DateTime64(3, 'UTC')                 COMMENT 'Timestamp of the Kafka record, as its publisher or broker set it',
    reason        LowCardinality(String)               COMMENT 'Why it was rejected, as a word: invalid_json, unknown_type, absurd_time and so on',
    field         String DEFAULT ''                    COMMENT 'Dotted path of the field at fault; empty when the record as a whole is',
    detail        String DEFAULT ''                    COMMENT 'Why it was rejected, as a sentence',
    key           String DEFAULT ''                    COMMENT 'Key of the record, bytes unchanged',
    value         String DEFAULT ''                    COMMENT 'Value of the record, bytes unchanged' CODEC(ZSTD(1)),
    key_is_null   UInt8 DEFAULT 0                      COMMENT '1 when the record had no key, which is not an empty one',
    value_is_null UInt8 DEFAULT 0                      COMMENT '1 when the record had no value (a tombstone), which is not an empty one',
    header_names  Array(String)                        COMMENT 'Names of the record headers, in order',
    header_values Array(String)                        COMMENT 'Values of the record headers, bytes unchanged, in the order of header_names',
    community_id  String DEFAULT ''                    COMMENT 'Community, where it could be guessed from the key or the value',
    event_id      String DEFAULT ''                    COMMENT 'Publisher''s id of the event, where it could be guessed from the headers or the value',
    ingested_at   DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When the row was inserted (warehouse clock); the row is removed 90 days later',
    status        LowCardinality(String) DEFAULT 'open' COMMENT 'open, replayed (published to its topic again) or discarded',
    status_at     DateTime64(3, 'UTC') DEFAULT 0       COMMENT 'When the status was set; 1970 while open',
    version       UInt64 DEFAULT 0                     COMMENT '0 while open, then status_at in ms: a record rejected again on redelivery does not reopen the row'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (topic, partition, offset, record_id)
TTL toDateTime(ingested_at) + INTERVAL 90 DAY
COMMENT 'Rejected records, to be looked at, replayed or discarded with streams dlq. Read the view {db}.dead_letters instead';
