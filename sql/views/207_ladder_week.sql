-- title: members on each level at the end of each complete week
CREATE OR REPLACE VIEW {db}.ladder_week AS
SELECT
    community_id,
    week,
    to_level AS level,
    toUInt8(to_rank) AS rank,
    count() AS members
FROM {db}.ladder_member_week
WHERE to_rank > 0
GROUP BY community_id, week, level, rank;
