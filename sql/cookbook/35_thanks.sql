-- title: Who thanks whom?
-- Whoever thanks in an answer thanks whom it answers; whoever is mentioned is thanked too.
SELECT month, giver_id, receiver_id, thanks
FROM thanks
WHERE community_id = 'reading-circle' AND month < '2026-03-01'
ORDER BY month, giver_id, receiver_id;
