-- title: Which questions did nobody answer?
-- Messages in the help channel that begin a thread; the ids lead back to the text.
SELECT r.message_id, r.member_id, r.asked_at, r.state
FROM first_response AS r
INNER JOIN events AS e ON e.community_id = r.community_id AND e.event_id = r.message_id
WHERE r.community_id = 'reading-circle' AND e.conversation_id = 'help'
ORDER BY r.asked_at;
