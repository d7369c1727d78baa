-- title: contributor absence factor, as far as the watermark has come, over 90 days
CREATE OR REPLACE VIEW {db}.absence_factor AS
SELECT * FROM {db}.absence_factor_at(
    at = (SELECT ifNull(toDateTime(watermark), toDateTime(86400, 'UTC')) FROM {db}.pipeline_watermark), days = 90
);
