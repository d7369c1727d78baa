-- title: the level of each member at the end of each complete week, and at the end of the week before
CREATE OR REPLACE VIEW {db}.ladder_member_week AS
SELECT
    community_id,
    week,
    member_id,
    if(week = weeks[1], before.1, level) AS from_level,
    if(week = weeks[1], before.2, toInt16(rank)) AS from_rank,
    level AS to_level,
    toInt16(rank) AS to_rank,
    multiIf(
        from_rank < 0, 'in', to_rank = from_rank, 'held', to_rank = 0, 'out', from_rank = 0, 'back', to_rank > from_rank, 'up', 'down'
    ) AS direction
FROM
(
    SELECT
        *,
        lagInFrame((level, toInt16(rank)), 1, ('', toInt16(-1))) OVER
            (PARTITION BY community_id, member_id ORDER BY since ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS before
    FROM
    (
        SELECT
            community_id,
            member_id,
            level,
            rank,
            since,
            since + days - 1 AS last_day,
            max(last_day) OVER (PARTITION BY community_id) AS today,
            -- Mondays of the weeks whose Sunday is in the stay and over.
            arrayMap(n -> toMonday(since) + 7 * n, range(toUInt32(greatest(0,
                intDiv(least(last_day, today - 1) - 6 - toMonday(since) + 7, 7)
            )))) AS weeks
        FROM {db}.ladder_history
    )
    -- A stay that saw no week's end is not seen here, and the stay before it that did is the level of the week before.
    WHERE notEmpty(weeks)
)
ARRAY JOIN weeks AS week;
