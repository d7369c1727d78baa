-- title: who was on which level on a day: ladder_at(at = '2026-01-31')
-- The same as if the ladder had been climbed up to that day only. A day that is still to come shows the last one known.
CREATE OR REPLACE VIEW {db}.ladder_at AS
SELECT
    community_id,
    member_id,
    level,
    rank,
    since,
    toUInt32(least({at:Date}, since + days - 1) - since + 1) AS days,
    from_level,
    direction,
    judged_level,
    window_days,
    present_days,
    active_days,
    contributions,
    hosted_or_cocreated
FROM {db}.ladder_history
WHERE since <= {at:Date} AND ifNull(until >= {at:Date}, 1);
