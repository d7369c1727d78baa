-- title: who was there by day: present, engaged and contributing members
-- Nested: whoever contributes is engaged, whoever is engaged is present. Days are the community's own; from its first day to the
-- watermark none is missing: a silent day is a row of zeros. settled: the watermark has passed the end of the day.
CREATE OR REPLACE VIEW {db}.presence_day AS
WITH
    (SELECT (groupArray(community_id), groupArray(today)) FROM {db}.community_today) AS clocks,
    transform(community_id, clocks.1, clocks.2, toDate(0)) AS today
SELECT
    community_id,
    first_day + gap AS day,
    if(gap = 0, first_present, 0) AS present,
    if(gap = 0, first_engaged, 0) AS engaged,
    if(gap = 0, first_contributing, 0) AS contributing,
    if(gap = 0, first_events, 0) AS events,
    (SELECT watermark FROM {db}.pipeline_watermark) AS fresh_until,
    day < today AS settled
FROM
(
    SELECT
        community_id,
        day AS first_day,
        uniqExact(member_id) AS first_present,
        uniqExactIf(member_id, engaged) AS first_engaged,
        uniqExactIf(member_id, contributing) AS first_contributing,
        sum(a.events) AS first_events,
        leadInFrame(day, 1, greatest(day, today) + 1) OVER (
            PARTITION BY community_id ORDER BY day ROWS BETWEEN CURRENT ROW AND 1 FOLLOWING
        ) AS next_day
    FROM {db}.member_activity AS a
    GROUP BY community_id, day
)
ARRAY JOIN range(next_day - first_day) AS gap;
