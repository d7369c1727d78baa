-- title: weekly retention of cohorts by join and by first contribution
-- cohort_by join: members by the week of their first event of any kind (a published join is one), retained when engaged.
-- cohort_by contribution: members by the week of their first contribution, retained when they contribute.
-- week 0 is the cohort's own. retained: in exactly that week; retained_or_after: in that week or a later one, so it may still grow.
-- Only weeks that are over, of cohorts whose own week is over; a week in which nobody came is a row of zeros.
CREATE OR REPLACE VIEW {db}.retention_week AS
WITH
    {clocks} AS clocks,
    toMonday(transform(community_id, clocks.1, clocks.2, clocks.2[1])) AS open_week
SELECT
    community_id,
    cohort_by,
    cohort_week,
    step_week + gap AS week,
    cohort_members AS members,
    if(gap = 0, step_retained, 0) AS retained,
    still_there - if(gap = 0, 0, step_last) AS retained_or_after,
    retained / members AS retention,
    retained_or_after / members AS retention_or_after,
    (SELECT watermark FROM {db}.pipeline_watermark) AS fresh_until
FROM
(
    SELECT
        community_id,
        cohort_by,
        cohort_week,
        step.1 AS step_week,
        countIf(step.2 = 'retained') AS step_retained,
        countIf(step.2 = 'last') AS step_last,
        sum(countIf(step.2 = 'member')) OVER cohort AS cohort_members,
        sum(countIf(step.2 = 'last')) OVER (
            PARTITION BY community_id, cohort_by, cohort_week ORDER BY step_week DESC
        ) AS still_there,
        leadInFrame(step_week, 1, toUInt16(65535)) OVER (
            PARTITION BY community_id, cohort_by, cohort_week ORDER BY step_week
            ROWS BETWEEN CURRENT ROW AND 1 FOLLOWING
        ) AS next_week
    FROM
    (
        SELECT
            community_id,
            cohort.1 AS cohort_by,
            cohort.2 AS cohort_week,
            arrayMap(w -> toUInt16(intDiv(w - cohort_week, 7)), arrayFilter(w -> w >= cohort_week AND w < open_week, cohort.3)) AS weeks,
            arrayConcat(
                [(toUInt16(0), 'member')],
                arrayMap(w -> (w, 'retained'), weeks),
                if(empty(weeks), [], [(arrayMax(weeks), 'last')])
            ) AS steps
        FROM
        (
            SELECT
                community_id,
                [
                    ('join', toMonday(min(day)), groupUniqArrayIf(toMonday(day), engaged)),
                    ('contribution', toMonday(minIf(day, contributing)), groupUniqArrayIf(toMonday(day), contributing))
                ] AS cohorts
            FROM {db}.member_activity
            GROUP BY community_id, member_id
        )
        ARRAY JOIN cohorts AS cohort
        WHERE cohort_week < open_week AND (cohort_by = 'join' OR notEmpty(cohort.3))
    )
    ARRAY JOIN steps AS step
    GROUP BY community_id, cohort_by, cohort_week, step_week
    WINDOW cohort AS (PARTITION BY community_id, cohort_by, cohort_week)
)
ARRAY JOIN range(greatest(0, least(next_week, intDiv(open_week - cohort_week, 7)) - step_week)) AS gap;
