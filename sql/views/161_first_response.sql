-- title: what became of each message that answers no other, as of the watermark
CREATE OR REPLACE VIEW {db}.first_response AS
SELECT * FROM {db}.first_response_at(at = (SELECT toDateTime(ifNull(max(watermark), 0), 'UTC') FROM {db}.pipeline_watermark));
