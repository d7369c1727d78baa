-- title: who was there by day: present, engaged and contributing members
-- Nested: whoever contributes is engaged, whoever is engaged is present. Days are the community's own. From its first day (the one
-- its settings state, or that of its first event) to the watermark none is missing: a silent day is a row of zeros, and a community
-- in which nothing ever happened has nothing else.
CREATE OR REPLACE VIEW {db}.presence_day AS
WITH
    {clocks} AS clocks,
    transform(community_id, clocks.1, clocks.2, clocks.2[1]) AS today
SELECT
    community_id,
    step_day + gap AS day,
    if(gap = 0, step_present, 0) AS present,
    if(gap = 0, step_engaged, 0) AS engaged,
    if(gap = 0, step_contributing, 0) AS contributing,
    if(gap = 0, step_events, 0) AS events,
    (SELECT watermark FROM {db}.pipeline_watermark) AS fresh_until,
    day < today AS settled
FROM
(
    SELECT
        community_id,
        day AS step_day,
        uniqExactIf(member_id, acts.events > 0) AS step_present,
        uniqExactIf(member_id, engaged) AS step_engaged,
        uniqExactIf(member_id, contributing) AS step_contributing,
        sum(acts.events) AS step_events,
        leadInFrame(day, 1, greatest(day, today) + 1) OVER (
            PARTITION BY community_id ORDER BY day ROWS BETWEEN CURRENT ROW AND 1 FOLLOWING
        ) AS next_day
    FROM
    (
        SELECT community_id, day, member_id, engaged, contributing, events FROM {db}.member_activity
        UNION ALL
        SELECT community_id, assumeNotNull(since), '', 0, 0, 0 FROM {db}.communities WHERE since <= today
    ) AS acts
    GROUP BY community_id, day
)
ARRAY JOIN range(next_day - step_day) AS gap;
