-- title: Why does a member stand on that step?
-- One row a stay, with the days and contributions that led to it.
SELECT since, until, level, direction, active_days, contributions, hosted_or_cocreated
FROM ladder_history
WHERE community_id = 'reading-circle' AND member_id = 'dev'
ORDER BY since;
