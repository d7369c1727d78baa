-- title: Who has come back week after week, and whose streak is about to end?
-- A week with a holiday in it is forgiven; a late event mends a streak. alive: it can still go on.
SELECT member_id, weeks, first_week, last_week, frozen_weeks, alive
FROM streaks_week
WHERE community_id = 'reading-circle'
ORDER BY weeks DESC, member_id
LIMIT 8;
