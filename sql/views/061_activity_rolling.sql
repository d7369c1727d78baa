-- title: rolling activity per community, now
CREATE OR REPLACE VIEW {db}.activity_rolling AS
SELECT * FROM {db}.activity_rolling_at(at = now('UTC'));
