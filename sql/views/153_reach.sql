-- title: what each member's ties come to, as of the watermark
-- plan: inline
CREATE OR REPLACE VIEW {db}.reach AS
SELECT * FROM {db}.reach_at(at = (SELECT toDateTime(ifNull(max(watermark), 0), 'UTC') FROM {db}.pipeline_watermark));
