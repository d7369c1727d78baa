-- title: who came to which ritual on which day, and when nobody did
-- Rituals that check-ins name, declared or not: whoever checked in at it. Inferred rituals, in the months they were inferred of:
-- whoever wrote or checked in in its hours. Counted actors only. Days are the community's own.
-- Past dates on which a declared or an inferred ritual was due have a row without a member, besides those of whoever came.
CREATE OR REPLACE VIEW {db}.ritual_roll AS
WITH
    {clocks} AS clocks,
    {zones} AS zones,
    (SELECT groupUniqArray(community_id) FROM {store}.declared_rituals FINAL) AS declaring,
    hours AS
    (
        SELECT
            m.community_id AS community_id, m.start AS start, m.member_id AS member_id, m.first_at AS first_at,
            transform(m.community_id, zones.1, zones.2, zones.2[1]) AS zone
        FROM {store}.member_hour AS m FINAL
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
    named AS
    (
        SELECT
            community_id, ritual,
            transform(community_id, declaring, declaring, '') AS declared_by,
            groupArray((c.day, c.member_id, c.arrived_at)) AS came,
            min(c.day) AS first_day,
            transform(community_id, clocks.1, clocks.2, clocks.2[1]) AS today
        FROM {db}.ritual_check_ins AS c
        GROUP BY community_id, ritual
    )
SELECT
    community_id, 'named' AS source, ritual, mark.1 AS day, mark.2 AS member_id, mark.3 AS arrived_at,
    mark.1 < today AS settled
FROM named
LEFT JOIN
(
    SELECT
        community_id AS declared_by, ritual, toString(any(every)) AS cadence, groupUniqArray(weekday) AS weekdays,
        any(month_day) AS on_month_day
    FROM {store}.declared_rituals FINAL
    GROUP BY community_id, ritual
) AS declared USING (declared_by, ritual)
ARRAY JOIN arrayConcat(came, arrayMap(d -> (d, '', toDateTime64(0, 3, 'UTC')), arrayFilter(
    d -> cadence = 'day' OR has(weekdays, toDayOfWeek(d)) OR on_month_day = toDayOfMonth(d),
    arrayMap(i -> first_day + i, range(toUInt32(greatest(0, today - first_day))))
))) AS mark
UNION ALL
SELECT
    community_id, 'inferred' AS source, ritual, day, member_id, min(first_at) AS arrived_at,
    day < transform(community_id, clocks.1, clocks.2, clocks.2[1]) AS settled
FROM there
RIGHT JOIN due USING (community_id, day, hour)
GROUP BY community_id, ritual, day, member_id
HAVING member_id != '' OR settled;
