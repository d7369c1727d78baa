-- title: days on which less is expected
-- A community that has none of its own has the defaults.
CREATE OR REPLACE VIEW {db}.holidays AS
SELECT places.community_id AS community_id, said.* EXCEPT (community_id, version)
FROM (SELECT community_id FROM {db}.communities) AS places
INNER JOIN (SELECT * EXCEPT (is_deleted) FROM {store}.holidays FINAL) AS said
    ON said.community_id = if(places.community_id IN (SELECT community_id FROM {store}.holidays FINAL), places.community_id, '');
