-- title: who came to which ritual on which day, and when nobody did
-- Rituals that check-ins name, declared or not: whoever checked in at it. Inferred rituals, in the months they were inferred of:
-- whoever wrote or checked in in its hours. Counted actors only. Days are the community's own.
-- Past dates on which a declared or an inferred ritual was due have a row without a member, besides those of whoever came.
CREATE OR REPLACE VIEW {db}.ritual_roll AS
WITH
    (SELECT (groupArray(community_id), groupArray(today)) FROM {db}.community_today) AS clocks,
    (SELECT any(zone) FROM {store}.communities FINAL WHERE community_id = '') AS default_zone,
    hours AS
    (
        SELECT
            m.community_id AS community_id, m.start AS start, m.member_id AS member_id, m.first_at AS first_at,
            if(said.zone = '', default_zone, said.zone) AS zone
        FROM {store}.member_hour AS m FINAL
        LEFT JOIN (SELECT community_id, zone FROM {store}.communities FINAL) AS said ON said.community_id = m.community_id
        WHERE m.family IN ('message', 'check_in', 'hosting') AND m.actor_kind IN {counted}
    ),
    there AS
    (
        SELECT
            community_id, member_id, first_at,
            toDate(start + offset_s) AS day,
            toHour(start + offset_s) AS hour
        FROM hours
        ASOF LEFT JOIN (SELECT zone, from_utc, offset_s FROM {store}.zone_offsets FINAL) AS o
            ON o.zone = hours.zone AND hours.start >= o.from_utc
    ),
    due AS
    (
        SELECT
            community_id, ritual,
            arrayJoin(arrayFilter(
                d -> d < addMonths(month, 1)
                    AND (weekday = 0 OR weekday = toDayOfWeek(d))
                    AND (month_day = 0 OR month_day = toDayOfMonth(d))
                    AND (week_of_month = 0 OR week_of_month = intDiv(toDayOfMonth(d) + 6, 7)),
                arrayMap(i -> month + i, range(31))
            )) AS day,
            arrayJoin(range(from_hour, from_hour + hours)) AS hour
        FROM {db}.inferred_rituals
    ),
    declared AS
    (
        SELECT
            community_id, ritual, any(every) AS cadence, groupUniqArray(weekday) AS weekdays, any(month_day) AS on_month_day
        FROM {db}.declared_rituals
        GROUP BY community_id, ritual
    ),
    lives AS
    (
        SELECT
            community_id, ritual, min(c.day) AS first_day,
            transform(community_id, clocks.1, clocks.2, toDate(0)) AS today
        FROM {db}.ritual_check_ins AS c
        GROUP BY community_id, ritual
    )
SELECT community_id, 'named' AS source, ritual, day, member_id, arrived_at
FROM {db}.ritual_check_ins
UNION ALL
SELECT community_id, 'named' AS source, ritual, arrayJoin(arrayFilter(
    d -> cadence = 'day' OR has(weekdays, toDayOfWeek(d)) OR on_month_day = toDayOfMonth(d),
    arrayMap(i -> first_day + i, range(toUInt32(greatest(0, today - first_day))))
)) AS day, '' AS member_id, toDateTime64(0, 3, 'UTC') AS arrived_at
FROM lives
INNER JOIN declared USING (community_id, ritual)
UNION ALL
SELECT community_id, 'inferred' AS source, ritual, day, member_id, min(first_at) AS arrived_at
FROM there
RIGHT JOIN due USING (community_id, day, hour)
GROUP BY community_id, ritual, day, member_id
HAVING member_id != '' OR day < transform(community_id, clocks.1, clocks.2, toDate(0));
