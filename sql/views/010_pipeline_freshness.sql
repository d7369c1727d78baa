-- title: how far the pipeline has come, by partition
-- watermark: nothing older is expected from this partition; overall: the same over all, where a partition that has
-- nothing left to read does not hold the others back.
CREATE OR REPLACE VIEW {db}.pipeline_freshness AS
WITH partitions AS
(
    SELECT
        topic,
        partition,
        max(p.watermark) AS watermark,
        argMax(p.offset, p.updated_at) AS next_offset,
        argMax(p.lag, p.updated_at) AS lag,
        max(p.updated_at) AS updated_at
    FROM {store}.progress AS p
    GROUP BY topic, partition
)
SELECT
    topic,
    partition,
    watermark,
    next_offset AS offset,
    lag,
    updated_at,
    (
        SELECT if(countIf(lag > 0) > 0, minIf(watermark, lag > 0), max(watermark)) FROM partitions
    ) AS overall
FROM partitions;
