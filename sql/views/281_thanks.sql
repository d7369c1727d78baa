-- title: who thanked whom, by month
-- A message that thanks is for the author of what it answers and for whom it mentions: counted actors on both ends, never oneself.
-- Ties know by the minute whom a member answered and mentioned, and when first and last: the message is told by its time.
CREATE OR REPLACE VIEW {db}.thanks AS
WITH said AS
(
    SELECT community_id, day, ref, member_id, s.first_at AS said_at, toStartOfMinute(toDateTime(said_at)) AS start
    FROM {db}.signs AS s
    WHERE kind = 'thanks'
)
SELECT
    community_id,
    toStartOfMonth(day) AS month,
    member_id AS giver_id,
    receiver_id,
    uniqExact(ref) AS thanks
FROM said
INNER JOIN
(
    SELECT
        community_id, start, member_id, other_id AS receiver_id, other_kind,
        t.events AS acts, t.first_at AS first_at, t.last_at AS last_at
    FROM {store}.tie_minute AS t FINAL
    WHERE kind IN ('reply', 'mention') AND other_id != '' AND actor_kind IN {counted}
        AND (other_kind IN {counted} OR (other_kind = '' AND kind = 'mention'))
) AS met USING (community_id, start, member_id)
-- Nobody says what kind of actor is mentioned: whoever has acted as one that counts.
LEFT JOIN
(
    SELECT community_id, member_id AS receiver_id, 1 AS acted FROM {db}.member_activity GROUP BY community_id, receiver_id
) AS people USING (community_id, receiver_id)
WHERE (said_at IN (first_at, last_at) OR (acts > 2 AND said_at BETWEEN first_at AND last_at)) AND (other_kind != '' OR acted)
GROUP BY community_id, month, giver_id, receiver_id;
