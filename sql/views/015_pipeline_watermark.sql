-- title: the watermark over all partitions: one row
CREATE OR REPLACE VIEW {db}.pipeline_watermark AS
SELECT any(overall) AS watermark, max(updated_at) AS updated_at, sum(lag) AS lag
FROM {db}.pipeline_freshness;
