-- title: members at risk at a moment, with the evidence: members_at_risk_at(at = '2026-01-31 12:00:00')
-- No sign of life (nothing engaged) on the last 30 days, the last of which contains the moment, after 20 messages or more on the 90
-- days before those. rank: the most messages first. The other columns are the evidence, all of the 90 days but last_at.
CREATE OR REPLACE VIEW {db}.members_at_risk_at AS
WITH
    {at:DateTime('UTC')} AS moment,
    {clocks_at} AS clocks,
    transform(community_id, clocks.1, clocks.2, clocks.2[1]) AS today
SELECT
    community_id,
    row_number() OVER (PARTITION BY community_id ORDER BY messages DESC, last_at DESC, member_id) AS rank,
    member_id,
    messages,
    active_days,
    engaged_events,
    last_at,
    today - last_day AS silent_days,
    last_platform,
    moment AS as_of
FROM
(
    SELECT
        community_id,
        member_id,
        sumIf(a.events, family = 'message') AS messages,
        uniqExact(day) AS active_days,
        sum(a.events) AS engaged_events,
        max(a.last_at) AS last_at,
        max(day) AS last_day,
        argMax(platform, (a.last_at, platform)) AS last_platform
    FROM {db}.member_activity AS a
    WHERE engaged AND day > today - 120 AND day <= today
        -- No local date is further than a day from the date of UTC: this prunes the key, the line above decides.
        AND day BETWEEN toDate(moment) - 120 AND toDate(moment) + 1
    GROUP BY community_id, member_id
    HAVING last_day <= today - 30 AND messages >= 20
);
