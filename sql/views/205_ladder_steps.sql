-- title: how many members of each level went up, stayed or went down, week by week, and which step is the narrowest
-- narrowest: of the levels that are not the highest, the one with the lowest share of ups over the last 12 complete weeks.
CREATE OR REPLACE VIEW {db}.ladder_steps AS
SELECT
    community_id,
    week,
    level,
    rank,
    members,
    up,
    held,
    down,
    member_weeks_12w,
    up_12w,
    if(is_top OR member_weeks_12w = 0, NULL, up_12w / member_weeks_12w) AS up_share_12w,
    ifNull(up_share_12w = min(if(is_top OR member_weeks_12w = 0, NULL, up_12w / member_weeks_12w))
        OVER (PARTITION BY community_id, week), 0) AS narrowest
FROM
(
    SELECT
        community_id,
        week,
        step.1 AS rank,
        step.2 AS level,
        rank = steps[-1].1 AS is_top,
        arraySum(flow -> if(flow.1 = rank, flow.3, 0), flows) AS members,
        arraySum(flow -> if(flow.1 = rank AND flow.2 > rank, flow.3, 0), flows) AS up,
        arraySum(flow -> if(flow.1 = rank AND flow.2 = rank, flow.3, 0), flows) AS held,
        arraySum(flow -> if(flow.1 = rank AND flow.2 < rank, flow.3, 0), flows) AS down,
        sum(members) OVER last_12 AS member_weeks_12w,
        sum(up) OVER last_12 AS up_12w
    FROM
    (
        SELECT
            community_id,
            week,
            groupArray((from_rank, to_rank, members)) AS flows
        FROM {db}.ladder_flow
        GROUP BY community_id, week
    ) AS weeks
    INNER JOIN
    (
        SELECT community_id, arraySort(groupArray((toInt16(rank), toString(level)))) AS steps
        FROM {db}.ladder_levels
        GROUP BY community_id
    ) AS ladders USING (community_id)
    ARRAY JOIN steps AS step
    WINDOW last_12 AS (PARTITION BY community_id, rank ORDER BY week RANGE BETWEEN 77 PRECEDING AND CURRENT ROW)
);
