-- title: breadth: how many kinds of members take part, as far as the watermark has come, over 28 days
CREATE OR REPLACE VIEW {db}.breadth AS
SELECT * FROM {db}.breadth_at(
    at = (SELECT ifNull(toDateTime(watermark), toDateTime(86400, 'UTC')) FROM {db}.pipeline_watermark), days = 28
);
