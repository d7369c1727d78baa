-- title: rolling activity per community as it was at a moment: activity_rolling_at(at = '2026-01-31 12:00:00')
-- Counted actors only (humans, unless the settings say otherwise), exact distinct members.
CREATE OR REPLACE VIEW {db}.activity_rolling_at AS
WITH {at:DateTime('UTC')} AS moment
SELECT
    community_id,
    window,
    sum(parts.events) AS events,
    uniqExactMerge(parts.members) AS members,
    uniqExactMergeIf(parts.members, engaged) AS engaged_members,
    uniqExactMergeIf(parts.members, contributing) AS contributing_members,
    any(moment) AS as_of,
    any((SELECT watermark FROM {db}.pipeline_watermark)) AS fresh_until
FROM
(
    -- Members of most families are engaged and contribute: their sets are united once, not for each of the three.
    SELECT
        community_id,
        window,
        family IN {engaged} AS engaged,
        family IN {contributing} AS contributing,
        sum(rows.events) AS events,
        uniqExactMergeState(rows.members) AS members
    FROM {rolling} AS rows
    GROUP BY community_id, window, engaged, contributing
) AS parts
GROUP BY community_id, window;
