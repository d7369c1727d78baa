-- title: records that could not become facts
-- key and value are shown as text: bytes that are not UTF-8 become the replacement character, the value is cut after
-- 4,096 bytes. The bytes themselves are in the storage table and go back to Kafka with `streams dlq replay`.
CREATE OR REPLACE VIEW {db}.dead_letters AS
SELECT
    record_id,
    topic,
    partition,
    `offset`,
    received_at,
    reason,
    field,
    detail,
    toValidUTF8(d.key) AS key,
    toValidUTF8(substring(d.value, 1, 4096)) AS value,
    length(d.value) AS value_bytes,
    arrayMap((name, text) -> (name, toValidUTF8(substring(text, 1, 256))), header_names, header_values) AS headers,
    community_id,
    event_id,
    ingested_at,
    status,
    status_at
FROM {store}.dead_letters AS d FINAL;
