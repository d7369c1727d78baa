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
    toUInt64(arrayCount(at -> at < first_engaged_at + INTERVAL 14 DAY, met.first_acts)) AS ties,
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
    SELECT
        community_id,
        end AS member_id,
        groupArray(multiIf(
            back_strength = 0, forth_first_at,
            forth_strength = 0, back_first_at,
            least(forth_first_at, back_first_at)
        )) AS first_acts
    FROM {db}.tie_pairs_at(at = {at:DateTime('UTC')})
    ARRAY JOIN [one_id, two_id] AS end
    GROUP BY community_id, member_id
) AS met USING (community_id, member_id);
