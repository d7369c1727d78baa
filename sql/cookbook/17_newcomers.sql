-- title: Do newcomers meet somebody?
-- Ties of the first 14 days; weeks whose last newcomer has had them.
SELECT week, newcomers, connected, round(mean_ties, 1) AS mean_ties
FROM newcomer_ties_week
WHERE community_id = 'reading-circle'
ORDER BY week;
