-- title: events per member by day
CREATE OR REPLACE VIEW {db}.member_day AS
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
    start + 86400 <= fresh_until AS settled
FROM {store}.member_day AS m FINAL;
