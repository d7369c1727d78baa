-- title: ties between members, as of the watermark
-- plan: inline
CREATE OR REPLACE VIEW {db}.ties AS
SELECT * FROM {db}.ties_at(at = (SELECT toDateTime(ifNull(max(watermark), 0), 'UTC') FROM {db}.pipeline_watermark));
