-- title: give rejected records another status
INSERT INTO {store}.dead_letters
SELECT * REPLACE
(
    {status:String} AS status,
    fromUnixTimestamp64Milli({at_ms:Int64}) AS status_at,
    greatest(toUInt64({at_ms:Int64}), version + 1) AS version
)
FROM {store}.dead_letters FINAL
WHERE record_id IN {ids:Array(String)}
