-- title: Who is close to whom?
-- A reply weighs 10, a mention 5, a common occasion 2, a reaction 1; every idle month leaves nine tenths. Ties have a direction.
SELECT member_id, other_id, replies, reactions, occurrences, round(strength, 1) AS strength
FROM ties_at(at = '2026-03-01 23:59:59')
WHERE community_id = 'reading-circle'
ORDER BY strength DESC, member_id, other_id
LIMIT 8;
