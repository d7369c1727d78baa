-- title: how many members were there in each hour of a community's own clock
-- There: wrote a message or checked in. Counted actors only. Hours in which nobody was there have no row.
-- As {db}.community_offsets, from its tables: that view lists communities, which is not needed here and costs more than this one.
CREATE OR REPLACE VIEW {db}.attendance_hour AS
WITH
    {zones} AS zones,
    heads AS
    (
        SELECT a.community_id AS community_id, a.start AS start, a.members AS members,
            transform(a.community_id, zones.1, zones.2, zones.2[1]) AS zone
        FROM {store}.activity_hour AS a FINAL
        WHERE a.family IN ('message', 'check_in', 'hosting') AND a.actor_kind IN {counted}
    )
SELECT
    community_id,
    toDate(start + offset_s) AS day,
    toHour(start + offset_s) AS hour,
    uniqExactMerge(members) AS attendees
FROM heads AS h
ASOF LEFT JOIN (SELECT zone, from_utc, offset_s FROM {store}.zone_offsets FINAL) AS o ON o.zone = h.zone AND h.start >= o.from_utc
GROUP BY community_id, day, hour;
