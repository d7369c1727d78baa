-- title: answers given and received by each member, by month
-- Replies to messages of others, and theirs to one's own; counted actors on both sides. balance: 1 gives only, -1 receives only.
CREATE OR REPLACE VIEW {db}.give_and_receive AS
WITH
    {zones} AS zones,
    replied AS
    (
        SELECT
            t.community_id AS community_id, t.start AS start, t.member_id AS giver_id, t.other_id AS receiver_id,
            t.events AS replies, transform(t.community_id, zones.1, zones.2, zones.2[1]) AS zone
        FROM {store}.tie_minute AS t FINAL
        WHERE t.kind = 'reply' AND t.other_id != '' AND t.actor_kind IN {counted} AND t.other_kind IN {counted}
    )
SELECT
    community_id,
    toStartOfMonth(toDate(start + offset_s)) AS month,
    side.1 AS member_id,
    sumIf(replies, side.2 = 'given') AS given,
    sumIf(replies, side.2 = 'received') AS received,
    (given - received) / (given + received) AS balance
FROM replied
ASOF LEFT JOIN (SELECT zone, from_utc, offset_s FROM {store}.zone_offsets FINAL) AS o
    ON o.zone = replied.zone AND replied.start >= o.from_utc
ARRAY JOIN [(giver_id, 'given'), (receiver_id, 'received')] AS side
GROUP BY community_id, month, member_id;
