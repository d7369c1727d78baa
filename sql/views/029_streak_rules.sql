-- title: what a streak of active days forgives
-- A community that has no rules of its own has the defaults.
CREATE OR REPLACE VIEW {db}.streak_rules AS
SELECT places.community_id AS community_id, said.* EXCEPT (community_id, version)
FROM (SELECT community_id FROM {db}.communities) AS places
INNER JOIN (SELECT * EXCEPT (is_deleted) FROM {store}.streak_rules FINAL) AS said
    ON said.community_id = if(places.community_id IN (SELECT community_id FROM {store}.streak_rules FINAL), places.community_id, '');
