-- title: engaged members with role, stage and platform at a moment: engaged_members_at(at = '2026-01-31 12:00:00', days = 28)
-- Members engaged in the given number of days, the last of which contains the moment: the role and the stage that were last said of
-- them until the moment (empty: never said), and the platform of most of their engaged events. Of equals the greatest name counts.
CREATE OR REPLACE VIEW {db}.engaged_members_at AS
WITH
    {at:DateTime('UTC')} AS moment,
    {clocks_at} AS clocks,
    transform(community_id, clocks.1, clocks.2, clocks.2[1]) AS today,
    {days:UInt16} AS length_days
SELECT
    community_id,
    member_id,
    argMaxIf(said, (weight, said), kind = 'role') AS role,
    argMaxIf(said, (weight, said), kind = 'stage') AS stage,
    argMaxIf(said, (weight, said), kind = 'platform') AS platform,
    toUInt64(sumIf(weight, kind = 'platform')) AS engaged_events,
    moment AS as_of,
    length_days AS days
FROM
(
    SELECT community_id, member_id, 'platform' AS kind, platform AS said, toInt64(sum(events)) AS weight
    FROM {db}.member_activity
    WHERE engaged AND day > today - length_days AND day <= today
        -- No local date is further than a day from the date of UTC: this prunes the key, the line above decides.
        AND day BETWEEN toDate(moment) - length_days AND toDate(moment) + 1
    GROUP BY community_id, member_id, platform
    UNION ALL
    SELECT
        community_id, member_id, kind, ref AS said,
        toUnixTimestamp64Milli(if(last_at <= moment, last_at, first_at)) AS weight
    FROM {store}.sign_hour FINAL
    WHERE kind IN ('role', 'stage') AND actor_kind IN {counted} AND start <= moment AND first_at <= moment
)
GROUP BY community_id, member_id
HAVING engaged_events > 0;
