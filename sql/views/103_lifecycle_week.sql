-- title: new, returning, resurrecting and dormant members by week
-- Engaged members, weeks from Monday. new: never engaged before, in event time. returning: engaged the week before as well.
-- resurrecting: engaged before, not the week before. dormant, shown negative: engaged the week before and not this week.
-- active = new + returning + resurrecting = active of the week before + new + resurrecting + dormant. No week is missing.
CREATE OR REPLACE VIEW {db}.lifecycle_week AS
WITH
    {clocks} AS clocks,
    transform(community_id, clocks.1, clocks.2, clocks.2[1]) AS today
SELECT
    community_id,
    step_week + 7 * gap AS week,
    if(gap = 0, step_new + step_returning + step_resurrecting, 0) AS active,
    if(gap = 0, step_new, 0) AS new,
    if(gap = 0, step_returning, 0) AS returning,
    if(gap = 0, step_resurrecting, 0) AS resurrecting,
    if(gap = 0, -step_dormant, 0) AS dormant,
    (SELECT watermark FROM {db}.pipeline_watermark) AS fresh_until,
    week + 7 <= today AS settled
FROM
(
    SELECT
        community_id,
        step.1 AS step_week,
        countIf(step.2 = 'new') AS step_new,
        countIf(step.2 = 'returning') AS step_returning,
        countIf(step.2 = 'resurrecting') AS step_resurrecting,
        toInt64(countIf(step.2 = 'dormant')) AS step_dormant,
        leadInFrame(step_week, 1, toDate('2149-01-01')) OVER (
            PARTITION BY community_id ORDER BY step_week ROWS BETWEEN CURRENT ROW AND 1 FOLLOWING
        ) AS next_week,
        toMonday(greatest(max(max(last_seen)) OVER (PARTITION BY community_id), today)) AS last_week
    FROM
    (
        SELECT
            community_id,
            max(day) AS last_seen,
            arraySort(groupUniqArrayIf(toMonday(day), engaged)) AS weeks,
            arrayPopBack(arrayPushFront(weeks, toDate(0))) AS before,
            arrayPopFront(arrayPushBack(weeks, toDate('2149-01-01'))) AS after,
            arrayConcat(
                [(toMonday(min(day)), '')],
                arrayMap((w, b) -> (w, multiIf(b = toDate(0), 'new', w - b = 7, 'returning', 'resurrecting')), weeks, before),
                arrayMap(w -> (w + 7, 'dormant'), arrayFilter((w, a) -> a - w > 7, weeks, after))
            ) AS steps
        FROM {db}.member_activity
        GROUP BY community_id, member_id
    )
    ARRAY JOIN steps AS step
    GROUP BY community_id, step_week
)
ARRAY JOIN range(intDiv(greatest(0, least(next_week, last_week + 7) - step_week), 7)) AS gap;
