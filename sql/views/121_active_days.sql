-- title: members by number of active days in 7 and in 28 days, as far as the watermark has come
CREATE OR REPLACE VIEW {db}.active_days AS
SELECT * FROM {db}.active_days_at(at = (SELECT ifNull(toDateTime(watermark), toDateTime(86400, 'UTC')) FROM {db}.pipeline_watermark));
