-- title: How many members are active a day, a week, a month, and how sticky is that?
-- Exact members of the 1, 7 and 28 days that end with the day; stickiness is the first divided by the last.
SELECT day, dau, wau, mau, round(stickiness, 2) AS stickiness
FROM active_members
WHERE community_id = 'reading-circle' AND toDayOfWeek(day) = 4 AND day < '2026-03-02'
ORDER BY day;
