-- title: whom newcomers met in their first 14 days, as of the watermark
-- plan: inline
CREATE OR REPLACE VIEW {db}.newcomer_ties AS
SELECT * FROM {db}.newcomer_ties_at(at = (SELECT toDateTime(ifNull(max(watermark), 0), 'UTC') FROM {db}.pipeline_watermark));
