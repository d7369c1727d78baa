-- title: what the belonging index is made of: each part by month, and where it stands in the community's own history
-- Complete months only. percentile: share of the months so far, this one included, in which the part was lower, and half of those
-- in which it was the same; NULL before the sixth month that has the part.
CREATE OR REPLACE VIEW {db}.belonging_components AS
WITH
    {clocks} AS clocks,
    -- The month that goes on somewhere, or is about to: what is in it is not read.
    (SELECT watermark FROM {db}.pipeline_watermark) AS fresh_until,
    toStartOfMonth(toDate(fresh_until) + 1) AS this_month,
    toStartOfMinute(toDateTime(fresh_until)) + 60 AS until,
    members AS
    (
        SELECT
            community_id, member_id,
            groupUniqArrayIf(toStartOfMonth(day), engaged) AS months_engaged,
            groupUniqArrayIf(toStartOfMonth(day), contributing) AS months_contributing
        FROM {db}.member_activity
        WHERE day < this_month
        GROUP BY community_id, member_id
    ),
    parts AS
    (
        SELECT
            community_id, month,
            arrayJoin([
                ('returning', countIf(has(months_engaged, addMonths(month, -1))) / count()),
                ('contributing', countIf(has(months_contributing, month)) / count())
            ]) AS part,
            part.1 AS component,
            part.2 AS value
        FROM members
        ARRAY JOIN months_engaged AS month
        GROUP BY community_id, month
        UNION ALL
        SELECT community_id, month, part, part.1 AS component, assumeNotNull(part.2) AS value
        FROM
        (
            -- A condition on what arrayJoin() gives would keep the engine from choosing communities before this is computed.
            SELECT
                community_id, toStartOfMonth(day) AS month,
                [('turnout', avg(turnout)), ('habit', avg(habit_rate))] AS of_rituals
            FROM {occurrences}
            GROUP BY community_id, month
        )
        ARRAY JOIN of_rituals AS part
        WHERE part.2 IS NOT NULL
        UNION ALL
        -- As in belonging_gains, which also tells who was thanked.
        SELECT
            s.community_id AS community_id, toStartOfMonth(s.day) AS month, ('answered', 0.) AS part, part.1 AS component,
            countIf(r.answered) / count() AS value
        FROM {db}.signs AS s
        LEFT JOIN
        (
            -- As {db}.first_response, which also tells what was not answered, and on which day it was asked.
            SELECT community_id, subject_id AS message_id, 1 AS answered
            FROM {store}.tie_minute AS t FINAL
            WHERE kind IN ('start', 'reply') AND subject_id != '' AND actor_kind IN {counted}
                AND start < until AND subject_at < this_month + INTERVAL 1 DAY
            GROUP BY community_id, subject_at, subject_id
            HAVING countIf(kind = 'start') > 0 AND countIf(kind = 'reply') > 0
                AND minIf(t.first_at, kind = 'reply') <= subject_at + INTERVAL 1 DAY
        ) AS r
            ON r.community_id = s.community_id AND r.message_id = s.ref
        WHERE kind IN ('support', 'question') AND day < this_month
        GROUP BY s.community_id, month
        UNION ALL
        SELECT
            community_id, month, ('talk_to_act', 0.) AS part, part.1 AS component,
            countIf(follows) / countIf(speaks) AS value
        FROM {values}
        GROUP BY community_id, month
        HAVING countIf(speaks) > 0
    ),
    -- Rounded, for means of the same fractions differ in their last digits with the order they were added in.
    series AS
    (
        SELECT community_id, component, arraySort(groupArray((month, round(value, 9)))) AS points
        FROM parts
        WHERE month < toStartOfMonth(transform(community_id, clocks.1, clocks.2, clocks.2[1]))
        GROUP BY community_id, component
    )
SELECT
    community_id,
    points[number].1 AS month,
    component,
    points[number].2 AS value,
    number AS months,
    if(
        number >= 6,
        arraySum(
            p -> multiIf(p.2 < points[number].2, 1, p.2 = points[number].2, 0.5, 0), arraySlice(points, 1, number)
        ) / number,
        NULL
    ) AS percentile
FROM series
ARRAY JOIN arrayEnumerate(points) AS number;
