-- title: What do members gain from belonging: support, knowledge, a better price?
-- Asked and answered within a day, thanked for, and bought together.
SELECT month, support_asked, knowledge_asked, knowledge_answered, thanks, thanked_members, group_buys, group_buyers
FROM belonging_gains
WHERE community_id = 'reading-circle' AND month < '2026-03-01'
ORDER BY month;
