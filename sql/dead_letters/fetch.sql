-- title: rejected records whole, by id
-- Bytes travel as base64: a String column may hold anything, a client's text may not.
SELECT
    record_id, topic, partition, `offset`, received_at, reason, field, detail, community_id, event_id,
    base64Encode(d.key) AS key_base64, base64Encode(d.value) AS value_base64, key_is_null, value_is_null,
    header_names, arrayMap(text -> base64Encode(text), d.header_values) AS header_values_base64
FROM {store}.dead_letters AS d FINAL
WHERE record_id IN {ids:Array(String)}
ORDER BY topic, partition, `offset`, record_id
