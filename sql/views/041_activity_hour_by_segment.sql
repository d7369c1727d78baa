-- title: activity per community, family, platform and actor kind by hour
-- members of several rows must not be added: a member may be in more than one; use activity_hour for totals.
-- Fewer than {smallest_cohort} members are withheld: NULL. Their events are shown.
CREATE OR REPLACE VIEW {db}.activity_hour_by_segment AS
WITH finalizeAggregation(a.members) AS distinct_members
SELECT
    community_id,
    start,
    family,
    platform,
    actor_kind,
    a.events AS events,
    if(distinct_members < {smallest_cohort}, NULL, distinct_members) AS members,
    (SELECT watermark FROM {db}.pipeline_watermark) AS fresh_until,
    start + 3600 <= fresh_until AS settled
FROM {store}.activity_hour AS a FINAL;
