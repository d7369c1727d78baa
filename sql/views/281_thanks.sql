-- title: who thanked whom, by month
-- plan: inline
-- A message that thanks is for the author of what it answers and for whom it mentions: counted actors on both ends, never oneself.
-- Ties know by the minute whom a member answered and mentioned, and when first and last: the message is told by its time.
CREATE OR REPLACE VIEW {db}.thanks AS
WITH
    said AS
    (
        SELECT
            community_id, toStartOfMonth(day) AS month, ref, member_id,
            s.first_at AS said_at, toStartOfMinute(toDateTime(said_at)) AS start
        FROM {db}.signs AS s
        WHERE kind = 'thanks'
    ),
    -- The few thanks are on the right, where the engine keeps them in memory while it reads the ties.
    met AS
    (
        SELECT community_id, month, member_id AS giver_id, t.other_id AS receiver_id, t.other_kind AS receiver_kind, ref
        FROM {store}.tie_minute AS t FINAL
        INNER JOIN said USING (community_id, start, member_id)
        WHERE t.kind IN ('reply', 'mention') AND t.other_id != '' AND t.actor_kind IN {counted}
            AND (t.other_kind IN {counted} OR (t.other_kind = '' AND t.kind = 'mention'))
            AND (said_at IN (t.first_at, t.last_at) OR (t.events > 2 AND said_at BETWEEN t.first_at AND t.last_at))
    )
SELECT
    community_id,
    month,
    giver_id,
    receiver_id,
    uniqExact(ref) AS thanks
FROM met
-- Nobody says what kind of actor is mentioned: whoever has acted as one that counts.
LEFT JOIN
(
    SELECT community_id, member_id AS receiver_id, 1 AS acted FROM {db}.member_activity GROUP BY community_id, receiver_id
) AS people USING (community_id, receiver_id)
WHERE receiver_kind != '' OR acted
GROUP BY community_id, month, giver_id, receiver_id;
