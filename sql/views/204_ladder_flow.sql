-- title: how many members went from which level to which, week by week
-- Levels at the end of the week before and at the end of this one; complete weeks only. Pairs that nobody took have no row.
CREATE OR REPLACE VIEW {db}.ladder_flow AS
SELECT
    community_id,
    week,
    from_level,
    from_rank,
    to_level,
    to_rank,
    direction,
    count() AS members
FROM {db}.ladder_member_week
WHERE NOT (from_rank = 0 AND to_rank = 0)
GROUP BY community_id, week, from_level, from_rank, to_level, to_rank, direction;
