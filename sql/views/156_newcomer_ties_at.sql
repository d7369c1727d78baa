-- title: whom newcomers met in their first 14 days, as known at a moment: newcomer_ties_at(at = '2026-01-31 12:00:00')
-- A newcomer's days begin with the first event in which they took part; day and week are the community's own.
CREATE OR REPLACE VIEW {db}.newcomer_ties_at AS
WITH
    {at:DateTime('UTC')} AS moment,
    toStartOfMinute(moment) + 60 AS until
SELECT
    community_id,
    member_id,
    came.joined_at AS first_engaged_at,
    came.joined_on AS day,
    toMonday(day) AS week,
    countIf(met.other_id != '' AND met.at < first_engaged_at + INTERVAL 14 DAY) AS ties,
    first_engaged_at + INTERVAL 14 DAY <= moment AS complete,
    moment AS as_of
FROM
(
    SELECT community_id, member_id, min(first_at) AS joined_at, min(day) AS joined_on
    FROM {db}.member_activity
    WHERE engaged AND first_at < until
    GROUP BY community_id, member_id
) AS came
LEFT JOIN
(
    SELECT community_id, end.1 AS member_id, end.2 AS other_id, min(t.first_at) AS at
    FROM {db}.ties_at(at = {at:DateTime('UTC')}) AS t
    ARRAY JOIN [(t.member_id, t.other_id), (t.other_id, t.member_id)] AS end
    GROUP BY community_id, end.1, end.2
) AS met USING (community_id, member_id)
GROUP BY community_id, member_id, first_engaged_at, came.joined_on;
