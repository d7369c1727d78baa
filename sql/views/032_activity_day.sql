-- title: activity per community by day
-- Counted actors only (humans, unless the settings say otherwise).
-- members counts each member once over all families; present, engaged and contributing are nested.
-- settled: the watermark has passed the end of the day; a later event still restates it.
CREATE OR REPLACE VIEW {db}.activity_day AS
SELECT
    community_id,
    start,
    sum(a.events) AS events,
    uniqExactMerge(a.members) AS members,
    uniqExactMergeIf(a.members, family IN {engaged}) AS engaged_members,
    uniqExactMergeIf(a.members, family IN {contributing}) AS contributing_members,
    (SELECT watermark FROM {db}.pipeline_watermark) AS fresh_until,
    start + 86400 <= fresh_until AS settled
FROM {store}.activity_day AS a FINAL
WHERE actor_kind IN {counted}
GROUP BY community_id, start;
