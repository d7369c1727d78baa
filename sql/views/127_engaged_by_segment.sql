-- title: engaged members by role, stage and platform, as far as the watermark has come, over 28 days
CREATE OR REPLACE VIEW {db}.engaged_by_segment AS
SELECT * FROM {db}.engaged_by_segment_at(
    at = (SELECT ifNull(toDateTime(watermark), toDateTime(86400, 'UTC')) FROM {db}.pipeline_watermark), days = 28
);
