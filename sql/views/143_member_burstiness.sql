-- title: burstiness of members, as far as the watermark has come, over 28 days
CREATE OR REPLACE VIEW {db}.member_burstiness AS
SELECT * FROM {db}.member_burstiness_at(
    at = (SELECT ifNull(toDateTime(watermark), toDateTime(86400, 'UTC')) FROM {db}.pipeline_watermark), days = 28
);
