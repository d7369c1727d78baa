-- title: Who is there, who takes part, who gives something?
-- Days are the community's own: the circle of Thursday evening in New York is on Thursday, though it is Friday in UTC.
-- A day on which nothing happened is a row of zeros.
SELECT day, toDayOfWeek(day) AS weekday, present, engaged, contributing, events
FROM presence_day
WHERE community_id = 'reading-circle' AND day BETWEEN '2026-02-16' AND '2026-03-01'
ORDER BY day;
