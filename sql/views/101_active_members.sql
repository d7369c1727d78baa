-- title: daily, weekly and monthly active members by day, and stickiness
-- plan: inline
-- Engaged members, exact: dau of the day, wau of the 7 and mau of the 28 days that end with it. stickiness = dau / mau.
-- A member enters a window with the first active day in it and leaves it one length after the last: what is summed up are those
-- steps, two a member and spell of activity, instead of 28 rows an active day. No day is missing: silence lets windows run empty.
CREATE OR REPLACE VIEW {db}.active_members AS
WITH
    {clocks} AS clocks,
    transform(community_id, clocks.1, clocks.2, clocks.2[1]) AS today
SELECT
    community_id,
    step_day + gap AS day,
    if(gap = 0, step_dau, 0) AS dau,
    step_wau AS wau,
    step_mau AS mau,
    dau / nullIf(mau, 0) AS stickiness,
    (SELECT watermark FROM {db}.pipeline_watermark) AS fresh_until,
    day < today AS settled
FROM
(
    SELECT
        community_id,
        step_day,
        step_dau,
        toUInt64(sum(wau_change) OVER so_far) AS step_wau,
        toUInt64(sum(mau_change) OVER so_far) AS step_mau,
        leadInFrame(step_day, 1, toDate('2149-01-01')) OVER (
            PARTITION BY community_id ORDER BY step_day ROWS BETWEEN CURRENT ROW AND 1 FOLLOWING
        ) AS next_day,
        greatest(max(last_seen) OVER (PARTITION BY community_id), today) AS last_day
    FROM
    (
        SELECT
            community_id,
            step.1 AS step_day,
            toUInt64(sum(step.2)) AS step_dau,
            sum(step.3) AS wau_change,
            sum(step.4) AS mau_change,
            max(last_seen) AS last_seen
        FROM
        (
            SELECT
                community_id,
                max(day) AS last_seen,
                arraySort(groupUniqArrayIf(day, engaged)) AS days,
                arrayPopBack(arrayPushFront(days, toDate(0))) AS before,
                arrayPopFront(arrayPushBack(days, toDate('2149-01-01'))) AS after,
                arrayConcat(
                    [(min(day), 0, 0, 0)],
                    arrayMap((d, b) -> (d, 1, toInt8(d - b > 7), toInt8(d - b > 28)), days, before),
                    arrayMap(d -> (d + 7, 0, -1, 0), arrayFilter((d, a) -> a - d > 7, days, after)),
                    arrayMap(d -> (d + 28, 0, 0, -1), arrayFilter((d, a) -> a - d > 28, days, after))
                ) AS steps
            FROM {db}.member_activity
            GROUP BY community_id, member_id
        )
        ARRAY JOIN steps AS step
        GROUP BY community_id, step_day
    )
    WINDOW so_far AS (PARTITION BY community_id ORDER BY step_day)
)
ARRAY JOIN range(greatest(0, least(next_day, last_day + 1) - step_day)) AS gap;
