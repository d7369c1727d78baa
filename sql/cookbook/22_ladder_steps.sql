-- title: Which step of the ladder do fewest members get over?
-- Of the last 12 complete weeks: the step with the lowest share of ups is the narrowest.
SELECT level, rank, member_weeks_12w, up_12w, round(up_share_12w, 3) AS up_share, narrowest
FROM ladder_steps
WHERE community_id = 'reading-circle' AND week = '2026-02-23'
ORDER BY rank;
