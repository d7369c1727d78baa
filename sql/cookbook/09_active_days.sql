-- title: On how many of the last 28 days did members take part?
-- Many at the low end: visitors. A second hill at the high end: a habit.
SELECT active_days, members
FROM active_days_at(at = '2026-03-01 23:59:59')
WHERE community_id = 'reading-circle' AND length_days = 28 AND members > 0
ORDER BY active_days;
