-- title: How many come to a ritual, of those who could, and who has made it a habit?
-- eligible: engaged in the 28 days before. regulars came to three of the last four. A date on which nobody came is a row of zeros.
SELECT day, attendees, eligible, round(turnout, 2) AS turnout, regulars, round(habit_rate, 2) AS habit_rate
FROM ritual_occurrences
WHERE community_id = 'reading-circle' AND ritual = 'circle' AND day < '2026-03-02'
ORDER BY day;
