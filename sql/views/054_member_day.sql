-- title: events per member by day
-- start: the date of the community's own day, at midnight. settled: the watermark has passed the end of that day.
CREATE OR REPLACE VIEW {db}.member_day AS
WITH
    {clocks} AS clocks,
    transform(community_id, clocks.1, clocks.2, clocks.2[1]) AS today
SELECT
    community_id,
    start,
    member_id,
    family,
    platform,
    actor_kind,
    m.events AS events,
    first_at,
    last_at,
    (SELECT watermark FROM {db}.pipeline_watermark) AS fresh_until,
    toDate(start) < today AS settled
FROM {store}.member_day AS m FINAL;
