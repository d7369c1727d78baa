-- title: rolling activity per community, family and platform, now
CREATE OR REPLACE VIEW {db}.activity_rolling_by_segment AS
SELECT * FROM {db}.activity_rolling_by_segment_at(at = now('UTC'));
