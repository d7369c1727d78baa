-- title: what each member's ties come to, as it was at a moment: reach_at(at = '2026-01-31 12:00:00')
CREATE OR REPLACE VIEW {db}.reach_at AS
SELECT
    community_id,
    member_id,
    count() AS ties,
    countIf(one.given > 0 AND one.received > 0) AS mutual,
    sum(one.given) AS given,
    sum(one.received) AS received,
    given + received AS reach,
    any(one.as_of) AS as_of
FROM
(
    SELECT
        community_id,
        side.1 AS member_id,
        side.2 AS other_id,
        sum(side.3) AS given,
        sum(side.4) AS received,
        any(t.as_of) AS as_of
    FROM {db}.ties_at(at = {at:DateTime('UTC')}) AS t
    ARRAY JOIN [(t.member_id, t.other_id, t.strength, 0.), (t.other_id, t.member_id, 0., t.strength)] AS side
    GROUP BY community_id, side.1, side.2
) AS one
GROUP BY community_id, member_id;
