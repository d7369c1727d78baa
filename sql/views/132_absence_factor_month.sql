-- title: contributor absence factor by month
-- The smallest number of members whose contributions (messages, reviews, hosting) are at least half of the month's: so many would have to
-- leave for half of it to go. largest_share: of the busiest member. A month without contributions is a row of zeros.
CREATE OR REPLACE VIEW {db}.absence_factor_month AS
WITH
    {clocks} AS clocks,
    transform(community_id, clocks.1, clocks.2, clocks.2[1]) AS today
SELECT
    community_id,
    addMonths(step_month, gap) AS month,
    if(gap = 0, arrayFirstIndex(so_far -> 2 * so_far >= total, arrayCumSum(ordered)), 0) AS absence_factor,
    if(gap = 0, length(ordered), 0) AS contributors,
    if(gap = 0, total, 0) AS contributions,
    if(contributions > 0, ordered[1] / total, NULL) AS largest_share,
    (SELECT watermark FROM {db}.pipeline_watermark) AS fresh_until,
    addMonths(month, 1) <= today AS settled
FROM
(
    SELECT
        community_id,
        step_month,
        arrayReverseSort(groupArrayIf(contributions_of_one, contributions_of_one > 0)) AS ordered,
        sum(contributions_of_one) AS total,
        toStartOfMonth(greatest(max(max(last_seen)) OVER (PARTITION BY community_id), today)) AS last_month,
        leadInFrame(step_month, 1, toDate('2149-01-01')) OVER (
            PARTITION BY community_id ORDER BY step_month ROWS BETWEEN CURRENT ROW AND 1 FOLLOWING
        ) AS next_month
    FROM
    (
        SELECT
            community_id,
            toStartOfMonth(day) AS step_month,
            sumIf(a.events, contributing) AS contributions_of_one,
            max(day) AS last_seen
        FROM {db}.member_activity AS a
        GROUP BY community_id, step_month, member_id
    )
    GROUP BY community_id, step_month
)
ARRAY JOIN range(greatest(0, dateDiff('month', step_month, least(next_month, addMonths(last_month, 1))))) AS gap;
