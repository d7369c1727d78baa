-- title: At which hours are members there?
-- The community's own clock, mean over the weeks of February; the best hours of each weekday make a plan.
SELECT toDayOfWeek(day) AS weekday, hour, round(sum(attendees) / 4, 1) AS mean_attendees
FROM attendance_hour
WHERE community_id = 'reading-circle' AND day BETWEEN '2026-02-02' AND '2026-03-01'
GROUP BY weekday, hour
ORDER BY mean_attendees DESC, weekday, hour
LIMIT 6;
