-- title: steps from visitor to co-builder, and what each asks for
-- A community that has none of its own has the defaults.
CREATE OR REPLACE VIEW {db}.ladder_levels AS
SELECT places.community_id AS community_id, said.* EXCEPT (community_id, version)
FROM (SELECT community_id FROM {db}.communities) AS places
INNER JOIN (SELECT * EXCEPT (is_deleted) FROM {store}.ladder_levels FINAL) AS said
    ON said.community_id = if(places.community_id IN (SELECT community_id FROM {store}.ladder_levels FINAL), places.community_id, '');
