-- title: rejected records, newest first, with a glimpse of the value
SELECT
    record_id, topic, partition, `offset`, received_at, reason, field, detail, community_id, event_id,
    ingested_at, status, status_at, length(value) AS value_bytes,
    toValidUTF8(substring(value, 1, {glimpse:UInt32})) AS glimpse
FROM {store}.dead_letters FINAL
WHERE
    (empty({ids:Array(String)}) OR arrayExists(id -> startsWith(record_id, id), {ids:Array(String)}))
    AND ({topic:String} = '' OR topic = {topic:String})
    AND ({reason:String} = '' OR reason = {reason:String})
    AND ({status:String} = '' OR status = {status:String})
    AND ingested_at >= fromUnixTimestamp64Milli({since_ms:Int64})
ORDER BY ingested_at DESC, topic, partition, `offset`, record_id
LIMIT {limit:UInt64}
