-- title: members by number of active days in 7 and in 28 days, at a moment: active_days_at(at = '2026-01-31 12:00:00')
-- Known as L7 and L28. Engaged members; the days are the community's own, the last one contains the moment. Every number of days
-- from 1 to the length is a row, with 0 members when there are none.
CREATE OR REPLACE VIEW {db}.active_days_at AS
WITH
    {at:DateTime('UTC')} AS moment,
    {clocks_at} AS clocks,
    transform(community_id, clocks.1, clocks.2, clocks.2[1]) AS today
SELECT
    community_id,
    length_days,
    active_days,
    countEqual(counts, active_days) AS members,
    moment AS as_of
FROM
(
    SELECT
        community_id,
        arrayJoin([(7, groupArray(days_of_7)), (28, groupArray(days_of_28))]) AS window,
        toUInt8(window.1) AS length_days,
        window.2 AS counts
    FROM
    (
        SELECT
            community_id,
            uniqExactIf(day, day > today - 7) AS days_of_7,
            uniqExact(day) AS days_of_28
        FROM {db}.member_activity
        WHERE engaged AND day > today - 28 AND day <= today
            -- No local date is further than a day from the date of UTC: this prunes the key, the line above decides.
            AND day BETWEEN toDate(moment) - 28 AND toDate(moment) + 1
        GROUP BY community_id, member_id
    )
    GROUP BY community_id
)
ARRAY JOIN range(1, length_days + 1) AS active_days;
