-- title: what each member's ties come to, as it was at a moment: reach_at(at = '2026-01-31 12:00:00')
CREATE OR REPLACE VIEW {db}.reach_at AS
SELECT
    community_id,
    side.1 AS member_id,
    count() AS ties,
    countIf(side.2 > 0 AND side.3 > 0) AS mutual,
    sum(side.2) AS given,
    sum(side.3) AS received,
    given + received AS reach,
    any(pairs.as_of) AS as_of
FROM {db}.tie_pairs_at(at = {at:DateTime('UTC')}) AS pairs
ARRAY JOIN [(one_id, forth_strength, back_strength), (two_id, back_strength, forth_strength)] AS side
GROUP BY community_id, member_id;
