-- title: new, returning, resurrecting and dormant members by day
-- Engaged members. new: never engaged before, in event time. returning: engaged the day before as well. resurrecting: engaged
-- before, not the day before. dormant, shown negative: engaged the day before and not this day.
-- active = new + returning + resurrecting = active of the day before + new + resurrecting + dormant. No day is missing.
CREATE OR REPLACE VIEW {db}.lifecycle_day AS
WITH
    {clocks} AS clocks,
    transform(community_id, clocks.1, clocks.2, clocks.2[1]) AS today
SELECT
    community_id,
    step_day + gap AS day,
    if(gap = 0, step_new + step_returning + step_resurrecting, 0) AS active,
    if(gap = 0, step_new, 0) AS new,
    if(gap = 0, step_returning, 0) AS returning,
    if(gap = 0, step_resurrecting, 0) AS resurrecting,
    if(gap = 0, -step_dormant, 0) AS dormant,
    (SELECT watermark FROM {db}.pipeline_watermark) AS fresh_until,
    day < today AS settled
FROM
(
    SELECT
        community_id,
        step.1 AS step_day,
        countIf(step.2 = 'new') AS step_new,
        countIf(step.2 = 'returning') AS step_returning,
        countIf(step.2 = 'resurrecting') AS step_resurrecting,
        toInt64(countIf(step.2 = 'dormant')) AS step_dormant,
        leadInFrame(step_day, 1, toDate('2149-01-01')) OVER (
            PARTITION BY community_id ORDER BY step_day ROWS BETWEEN CURRENT ROW AND 1 FOLLOWING
        ) AS next_day,
        greatest(max(max(last_seen)) OVER (PARTITION BY community_id), today) AS last_day
    FROM
    (
        SELECT
            community_id,
            max(day) AS last_seen,
            arraySort(groupUniqArrayIf(day, engaged)) AS days,
            arrayPopBack(arrayPushFront(days, toDate(0))) AS before,
            arrayPopFront(arrayPushBack(days, toDate('2149-01-01'))) AS after,
            arrayConcat(
                [(min(day), '')],
                arrayMap((d, b) -> (d, multiIf(b = toDate(0), 'new', d - b = 1, 'returning', 'resurrecting')), days, before),
                arrayMap(d -> (d + 1, 'dormant'), arrayFilter((d, a) -> a - d > 1, days, after))
            ) AS steps
        FROM {db}.member_activity
        GROUP BY community_id, member_id
    )
    ARRAY JOIN steps AS step
    GROUP BY community_id, step_day
)
ARRAY JOIN range(greatest(0, least(next_day, last_day + 1) - step_day)) AS gap;
