-- title: what counts as acting on a value
-- A community that has none of its own has the defaults.
CREATE OR REPLACE VIEW {db}.value_acts AS
SELECT places.community_id AS community_id, said.* EXCEPT (community_id, version)
FROM (SELECT community_id FROM {db}.communities) AS places
INNER JOIN (SELECT * EXCEPT (is_deleted) FROM {store}.value_acts FINAL) AS said
    ON said.community_id = if(places.community_id IN (SELECT community_id FROM {store}.value_acts FINAL), places.community_id, '');
