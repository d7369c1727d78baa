-- title: Do those who join stay?
-- A row a week of joining, a column a number of weeks later; only weeks that are over. Empty: not yet known.
SELECT
    cohort_week,
    any(members) AS members,
    anyIf(retained, week = 0) AS week_0,
    if(max(week) >= 1, anyIf(retained, week = 1), NULL) AS week_1,
    if(max(week) >= 2, anyIf(retained, week = 2), NULL) AS week_2,
    if(max(week) >= 4, anyIf(retained, week = 4), NULL) AS week_4,
    if(max(week) >= 8, anyIf(retained, week = 8), NULL) AS week_8
FROM retention_week
WHERE community_id = 'reading-circle' AND cohort_by = 'join'
GROUP BY cohort_week
ORDER BY cohort_week;
