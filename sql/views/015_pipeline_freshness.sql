-- title: how far the pipeline has come, by partition
-- watermark: nothing older is expected from this partition; overall: the same over all.
CREATE OR REPLACE VIEW {db}.pipeline_freshness AS
SELECT
    topic,
    partition,
    max(p.watermark) AS watermark,
    argMax(p.offset, p.updated_at) AS offset,
    argMax(p.lag, p.updated_at) AS lag,
    max(p.updated_at) AS updated_at,
    (SELECT watermark FROM {db}.pipeline_watermark) AS overall
FROM {store}.progress AS p
GROUP BY topic, partition
HAVING watermark > 0;
