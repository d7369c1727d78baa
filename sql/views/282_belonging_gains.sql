-- title: what members gain from belonging, by month: support, knowledge, material benefit
-- Asked: messages that begin a thread and ask for support or put a question. Answered: another member replied within 24 hours.
CREATE OR REPLACE VIEW {db}.belonging_gains AS
SELECT
    community_id,
    month,
    support_asked,
    support_answered,
    support_answered / nullIf(support_asked, 0) AS support_share,
    knowledge_asked,
    knowledge_answered,
    knowledge_answered / nullIf(knowledge_asked, 0) AS knowledge_share,
    thanks,
    thankful_members,
    thanked_members,
    group_buys,
    group_buyers
FROM
(
    SELECT
        s.community_id AS community_id,
        toStartOfMonth(s.day) AS month,
        countIf(kind = 'support') AS support_asked,
        countIf(kind = 'support' AND r.state = 'answered') AS support_answered,
        countIf(kind = 'question') AS knowledge_asked,
        countIf(kind = 'question' AND r.state = 'answered') AS knowledge_answered,
        sumIf(s.events, kind = 'thanks') AS thanks,
        uniqExactIf(s.member_id, kind = 'thanks') AS thankful_members,
        uniqExactIf(s.ref, kind = 'group_buy') AS group_buys,
        uniqExactIf(s.member_id, kind = 'group_buy') AS group_buyers
    FROM {db}.signs AS s
    LEFT JOIN (SELECT community_id, message_id, state FROM {db}.first_response) AS r
        ON r.community_id = s.community_id AND r.message_id = s.ref
    WHERE kind IN ('support', 'question', 'thanks', 'group_buy')
    GROUP BY s.community_id, month
) AS gains
LEFT JOIN
(
    SELECT community_id, month, uniqExact(receiver_id) AS thanked_members FROM {db}.thanks GROUP BY community_id, month
) AS thanked USING (community_id, month);
