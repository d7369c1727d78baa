-- title: the local date of every community at the watermark: the day that is going on, as far as the facts have come
CREATE OR REPLACE VIEW {db}.community_today AS
SELECT *
FROM {db}.community_today_at(
    at = (SELECT ifNull(toDateTime(watermark), toDateTime(86400, 'UTC')) FROM {db}.pipeline_watermark)
);
