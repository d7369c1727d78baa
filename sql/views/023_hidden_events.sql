-- title: events that are hidden or erased
CREATE OR REPLACE VIEW {db}.hidden_events AS
SELECT community_id, event_id, erased
FROM {store}.hidden_events FINAL;
