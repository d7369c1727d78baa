-- title: How long does it take until somebody answers?
-- What has no answer counts as if it took for ever: a percentile that falls there is empty, not small.
SELECT week, asked, answered, late, unanswered, round(p50_s / 60) AS p50_minutes, round(p90_s / 60) AS p90_minutes
FROM first_response_week
WHERE community_id = 'reading-circle' AND week < '2026-03-02'
ORDER BY week;
