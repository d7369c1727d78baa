-- title: who took part in which ritual on which day
-- Checked in at it; or, on a day on which it was due, wrote in the conversation that the settings name, from when it begins until it
-- ends, or until midnight. Counted actors only. Days are the community's own.
-- As {db}.declared_rituals, from its table: that view lists communities and their hosts, which are not needed here.
CREATE OR REPLACE VIEW {db}.ritual_check_ins AS
WITH
    {zones} AS zones,
    (SELECT groupUniqArray(community_id) FROM {store}.declared_rituals FINAL) AS declaring,
    signs AS
    (
        SELECT
            s.community_id AS community_id, s.kind AS kind, s.ref AS ref, s.member_id AS member_id, s.first_at AS came_at,
            toDateTime(s.first_at) AS moment, transform(s.community_id, zones.1, zones.2, zones.2[1]) AS zone
        FROM {store}.sign_hour AS s FINAL
        WHERE s.kind IN ('ritual', 'conversation') AND s.actor_kind IN {counted}
    ),
    told AS
    (
        SELECT
            community_id, kind, ref, member_id, came_at, moment + offset_s AS local,
            if(kind = 'conversation', substring(ref, 4), '') AS conversation_id,
            transform(community_id, declaring, declaring, '') AS declared_by
        FROM signs
        ASOF LEFT JOIN (SELECT zone, from_utc, offset_s FROM {store}.zone_offsets FINAL) AS o
            ON o.zone = signs.zone AND signs.moment >= o.from_utc
    )
SELECT
    community_id,
    if(kind = 'ritual', ref, meeting) AS ritual,
    toDate(local) AS day,
    member_id,
    min(came_at) AS arrived_at
FROM told
LEFT JOIN
(
    SELECT
        community_id AS declared_by, conversation_id, ritual AS meeting, toString(every) AS cadence, weekday, month_day, at_minute,
        at_minute + duration_minutes AS end_minute
    FROM {store}.declared_rituals FINAL
    WHERE conversation_id != ''
) AS meetings USING (declared_by, conversation_id)
WHERE kind = 'ritual'
    OR (meeting != '' AND (cadence = 'day' OR weekday = toDayOfWeek(local) OR month_day = toDayOfMonth(local))
        AND toHour(local) * 60 + toMinute(local) >= at_minute AND toHour(local) * 60 + toMinute(local) < end_minute)
GROUP BY community_id, ritual, day, member_id;
