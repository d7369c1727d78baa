-- title: activity per community by minute
-- Counted actors only (humans, unless the settings say otherwise).
-- members counts each member once over all families; present, engaged and contributing are nested.
-- settled: the watermark has passed the end of the minute; a later event still restates it.
CREATE OR REPLACE VIEW {db}.activity_minute AS
SELECT
    community_id,
    start,
    sum(a.events) AS events,
    uniqExactMerge(a.members) AS members,
    uniqExactMergeIf(a.members, family IN {engaged}) AS engaged_members,
    uniqExactMergeIf(a.members, family IN {contributing}) AS contributing_members,
    (SELECT watermark FROM {db}.pipeline_watermark) AS fresh_until,
    start + 60 <= fresh_until AS settled
FROM {store}.activity_minute AS a FINAL
WHERE actor_kind IN {counted}
GROUP BY community_id, start;
