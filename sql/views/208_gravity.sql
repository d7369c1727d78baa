-- title: how strongly a community holds its members, week by week
-- Sum of weight squared over the members whose level has a weight, divided by their number; change: against the week before.
CREATE OR REPLACE VIEW {db}.gravity AS
SELECT
    community_id,
    week,
    sum(counted) AS members,
    if(members = 0, NULL, sum(counted * weight * weight) / members) AS gravity,
    gravity - lagInFrame(gravity, 1) OVER
        (PARTITION BY community_id ORDER BY week ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS change
FROM
(
    SELECT
        community_id,
        week,
        weight,
        if(weight > 0, members, 0) AS counted
    FROM
    (
        SELECT
            community_id,
            week,
            toUInt8(to_rank) AS rank,
            count() AS members
        FROM {db}.ladder_member_week
        GROUP BY community_id, week, rank
    ) AS weeks
    LEFT JOIN (SELECT community_id, rank, weight FROM {db}.ladder_levels) AS weights USING (community_id, rank)
)
GROUP BY community_id, week;
