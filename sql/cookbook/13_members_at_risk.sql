-- title: Whom are we losing?
-- Members with 20 messages or more in 90 days and no sign of life for 30; the row is the evidence.
SELECT rank, member_id, messages, active_days, silent_days, toDate(last_at) AS last_seen
FROM members_at_risk
WHERE community_id = 'reading-circle'
ORDER BY rank;
