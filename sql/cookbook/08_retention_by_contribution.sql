-- title: Do those who once gave something go on giving?
-- retained: contributed again in exactly that week after their first one; retained_or_after: then or later, so it may still grow.
SELECT week, sum(members) AS cohort, sum(r.retained) AS retained, sum(r.retained_or_after) AS retained_or_after
FROM retention_week AS r
WHERE community_id = 'reading-circle' AND cohort_by = 'contribution' AND week IN (0, 1, 2, 4, 8)
GROUP BY week
ORDER BY week;
