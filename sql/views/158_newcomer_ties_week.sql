-- title: whom the newcomers of a week met in their first 14 days
-- Weeks whose last newcomer has had 14 days; a week without newcomers has no row.
CREATE OR REPLACE VIEW {db}.newcomer_ties_week AS
SELECT
    community_id,
    week,
    count() AS newcomers,
    countIf(n.ties > 0) AS connected,
    connected / newcomers AS connected_share,
    avg(n.ties) AS mean_ties
FROM {db}.newcomer_ties AS n
GROUP BY community_id, week
-- A local week ends up to 12 hours after that of UTC.
HAVING max(toDateTime(week + 7 + 14, 'UTC') + INTERVAL 12 HOUR) <= any(n.as_of);
