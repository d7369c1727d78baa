-- title: burstiness of communities, as far as the watermark has come, over 28 days
CREATE OR REPLACE VIEW {db}.burstiness AS
SELECT * FROM {db}.burstiness_at(
    at = (SELECT ifNull(toDateTime(watermark), toDateTime(86400, 'UTC')) FROM {db}.pipeline_watermark), days = 28
);
