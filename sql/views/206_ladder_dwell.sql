-- title: how long members stay on a level before they leave it
-- median_days is the estimate of Kaplan and Meier, in which stays that still go on count for as long as they have lasted: without
-- them only the short ones would be seen. NULL while fewer than half have ended.
CREATE OR REPLACE VIEW {db}.ladder_dwell AS
SELECT
    community_id,
    level,
    rank,
    sum(of_days.stays) AS stays,
    sum(of_days.ended) AS ended,
    sum(of_days.up) AS ended_up,
    ended - ended_up AS ended_down,
    -- A product of fractions that comes to one half may come to a little more.
    if(min(staying) < 0.500000001, minIf(days, staying < 0.500000001), NULL) AS median_days
FROM
(
    SELECT
        *,
        exp(sum(log(1 - ended / at_risk)) OVER
            (PARTITION BY community_id, rank ORDER BY days ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)) AS staying
    FROM
    (
        SELECT
            community_id,
            level,
            rank,
            days,
            count() AS stays,
            count(until) AS ended,
            countIf(next_rank > rank) AS up,
            sum(count()) OVER
                (PARTITION BY community_id, rank ORDER BY days DESC ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS at_risk
        FROM
        (
            SELECT
                *,
                leadInFrame(rank, 1, rank) OVER
                    (PARTITION BY community_id, member_id ORDER BY since ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS next_rank
            FROM {db}.ladder_history
        )
        WHERE rank > 0
        GROUP BY community_id, level, rank, days
    )
) AS of_days
GROUP BY community_id, level, rank;
