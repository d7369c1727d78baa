-- title: Who holds the community together?
-- reach is the sum of a member's ties, given and received; mutual ties go both ways.
SELECT member_id, ties, mutual, round(given, 1) AS given, round(received, 1) AS received, round(reach, 1) AS reach
FROM reach_at(at = '2026-03-01 23:59:59')
WHERE community_id = 'reading-circle'
ORDER BY reach DESC, member_id
LIMIT 5;
