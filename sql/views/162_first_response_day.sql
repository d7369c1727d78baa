-- title: how soon what members ask is answered, by day
-- Percentiles over everything asked: what has no reply yet took for ever, and a percentile that falls there is NULL.
CREATE OR REPLACE VIEW {db}.first_response_day AS
SELECT
    community_id,
    day,
    count() AS asked,
    countIf(state = 'answered') AS answered,
    countIf(state = 'late') AS late,
    countIf(state = 'unanswered') AS unanswered,
    countIf(state = 'open') AS open,
    nullIf(quantileExact(0.5)(ifNull(seconds, inf)), inf) AS p50_s,
    nullIf(quantileExact(0.9)(ifNull(seconds, inf)), inf) AS p90_s
FROM {db}.first_response
GROUP BY community_id, day;
