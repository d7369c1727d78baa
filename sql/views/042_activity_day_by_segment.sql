-- title: activity per community, family, platform and actor kind by day
-- members of several rows must not be added: a member may be in more than one. Use activity_day for totals.
CREATE OR REPLACE VIEW {db}.activity_day_by_segment AS
SELECT
    community_id,
    start,
    family,
    platform,
    actor_kind,
    a.events AS events,
    finalizeAggregation(a.members) AS members,
    (SELECT watermark FROM {db}.pipeline_watermark) AS fresh_until,
    start + 86400 <= fresh_until AS settled
FROM {store}.activity_day AS a FINAL;
