-- title: the days that count for streaks: when each member was active, and which days the night after them saved
-- Days with an engaged event; kept_by_night: the day itself had none, but the member acted in the first hours of the next one.
CREATE OR REPLACE VIEW {db}.streak_days AS
SELECT
    community_id,
    member_id,
    kept.1 AS day,
    min(kept.2) AS kept_by_night
FROM
(
    SELECT
        active.community_id AS community_id,
        active.member_id AS member_id,
        toUnixTimestamp(active.first_at) + clocks.offset_s - 86400 * toInt64(active.day) AS seconds_of_day,
        arrayJoin(if(
            seconds_of_day < 3600 * rules.grace_hours, [(active.day, 0), (active.day - 1, 1)], [(active.day, 0)]
        )) AS kept
    FROM
    (
        SELECT community_id, member_id, day, toDateTime(min(first_at)) AS first_at
        FROM {db}.member_activity
        WHERE engaged
        GROUP BY community_id, member_id, day
    ) AS active
    ASOF INNER JOIN {db}.community_offsets AS clocks
        ON clocks.community_id = active.community_id AND clocks.from_utc <= active.first_at
    INNER JOIN {db}.streak_rules AS rules ON rules.community_id = active.community_id
)
GROUP BY community_id, member_id, day;
