-- title: facts, one row an event, corrections applied
CREATE OR REPLACE VIEW {db}.events AS
SELECT * EXCEPT (event_key, version, is_deleted)
FROM {facts};
