-- title: answers given and received by each member, by month
-- Replies to messages of others, and theirs to one's own; counted actors on both sides. balance: 1 gives only, -1 receives only.
-- Months are UTC.
CREATE OR REPLACE VIEW {db}.give_and_receive AS
SELECT
    community_id,
    toStartOfMonth(toDate(start)) AS month,
    side.1 AS member_id,
    sumIf(replies, side.2 = 'given') AS given,
    sumIf(replies, side.2 = 'received') AS received,
    (given - received) / (given + received) AS balance
FROM
(
    SELECT
        community_id, start, t.events AS replies,
        arrayJoin([(t.member_id, 'given'), (t.other_id, 'received')]) AS side
    FROM {store}.tie_minute AS t FINAL
    WHERE kind = 'reply' AND other_id != '' AND actor_kind IN {counted} AND other_kind IN {counted}
)
GROUP BY community_id, month, member_id;
