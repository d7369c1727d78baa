-- title: how many members were there in each hour of a community's own clock
-- There: wrote a message or checked in. Counted actors only. Hours in which nobody was there have no row.
-- As {db}.community_offsets, from its tables: that view lists communities, which is not needed here and costs more than this one.
CREATE OR REPLACE VIEW {db}.attendance_hour AS
WITH
    (SELECT any(zone) FROM {store}.communities FINAL WHERE community_id = '') AS default_zone,
    heads AS
    (
        SELECT a.community_id AS community_id, a.start AS start, a.members AS members, said.zone AS own_zone
        FROM {store}.activity_hour AS a FINAL
        LEFT JOIN (SELECT community_id, zone FROM {store}.communities FINAL) AS said ON said.community_id = a.community_id
        WHERE a.family IN ('message', 'check_in', 'hosting') AND a.actor_kind IN {counted}
    )
SELECT
    community_id,
    toDate(start + offset_s) AS day,
    toHour(start + offset_s) AS hour,
    uniqExactMerge(members) AS attendees
FROM (SELECT *, if(own_zone = '', default_zone, own_zone) AS zone FROM heads) AS h
ASOF LEFT JOIN (SELECT zone, from_utc, offset_s FROM {store}.zone_offsets FINAL) AS o ON o.zone = h.zone AND h.start >= o.from_utc
GROUP BY community_id, day, hour;
