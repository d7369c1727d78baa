-- title: the watermark over all partitions: one row
-- The least of the partitions that have something left to read: the others do not hold it back, nor do those of which nothing
-- was ever stored. Unknown before anything is.
CREATE OR REPLACE VIEW {db}.pipeline_watermark AS
SELECT
    multiIf(
        count() = 0, NULL,
        countIf(each.lag > 0) > 0, minIf(each.watermark, each.lag > 0),
        max(each.watermark)
    ) AS watermark,
    max(each.updated_at) AS updated_at,
    sum(each.lag) AS lag
FROM
(
    SELECT max(p.watermark) AS watermark, argMax(p.lag, p.updated_at) AS lag, max(p.updated_at) AS updated_at
    FROM {store}.progress AS p
    GROUP BY topic, partition
    HAVING watermark > 0
) AS each;
