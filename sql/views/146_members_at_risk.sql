-- title: members at risk, as far as the watermark has come
CREATE OR REPLACE VIEW {db}.members_at_risk AS
SELECT * FROM {db}.members_at_risk_at(
    at = (SELECT ifNull(toDateTime(watermark), toDateTime(86400, 'UTC')) FROM {db}.pipeline_watermark)
);
