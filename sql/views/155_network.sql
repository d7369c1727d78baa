-- title: how closely a community is tied, over the 90 days that end at the watermark
-- plan: inline
CREATE OR REPLACE VIEW {db}.network AS
SELECT * FROM {db}.network_at(at = (SELECT toDateTime(ifNull(max(watermark), 0), 'UTC') FROM {db}.pipeline_watermark));
