-- title: rolling activity per community, family and platform as it was at a moment
-- Counted actors only (humans, unless the settings say otherwise), exact distinct members.
CREATE OR REPLACE VIEW {db}.activity_rolling_by_segment_at AS
WITH
    {at:DateTime('UTC')} AS moment,
    uniqExactMerge(rows.members) AS present,
    if(family IN {engaged}, present, 0) AS engaged,
    if(family IN {contributing}, present, 0) AS contributing
SELECT
    community_id,
    window,
    family,
    platform,
    sum(rows.events) AS events,
    if(present < {smallest_cohort}, NULL, present) AS members,
    if(engaged BETWEEN 1 AND {smallest_cohort} - 1, NULL, engaged) AS engaged_members,
    if(contributing BETWEEN 1 AND {smallest_cohort} - 1, NULL, contributing) AS contributing_members,
    any(moment) AS as_of,
    any((SELECT watermark FROM {db}.pipeline_watermark)) AS fresh_until
FROM {rolling} AS rows
GROUP BY community_id, window, family, platform;
