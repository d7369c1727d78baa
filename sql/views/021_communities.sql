-- title: communities: those that have settings, and those that anything happened in
CREATE OR REPLACE VIEW {db}.communities AS
SELECT
    community_id,
    if(said.name = '', community_id, said.name) AS name,
    multiIf(
        said.zone != '', said.zone,
        (SELECT any(zone) FROM {store}.communities FINAL WHERE community_id = '') AS default_zone != '', default_zone,
        'UTC'
    ) AS zone,
    said.since AS since
FROM
(
    SELECT DISTINCT community_id FROM {store}.activity_day
    UNION DISTINCT
    SELECT community_id FROM {store}.communities FINAL WHERE community_id != ''
) AS known
LEFT JOIN (SELECT * FROM {store}.communities FINAL) AS said USING (community_id);
