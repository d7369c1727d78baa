-- title: breadth at a moment: how many kinds of members take part: breadth_at(at = '2026-01-31 12:00:00', days = 28)
-- exp of the Shannon entropy of role x stage x platform among engaged members: the number of equally large segments that would be as
-- diverse (Hill number of order 1), from 1 to the number of segments. Of fewer than {smallest_cohort} members nothing is said: NULL.
CREATE OR REPLACE VIEW {db}.breadth_at AS
SELECT
    community_id,
    if(members < {smallest_cohort}, NULL, exp(log(members) - sum(n * log(n)) / members)) AS breadth,
    if(members < {smallest_cohort}, NULL, max(n) / members) AS modal_share,
    if(members < {smallest_cohort}, NULL, count()) AS segments,
    sum(n) AS members,
    any(moment) AS as_of,
    any(length_days) AS days
FROM
(
    SELECT community_id, count() AS n, any(as_of) AS moment, any(days) AS length_days
    FROM {db}.engaged_members_at(at = {at:DateTime('UTC')}, days = {days:UInt16})
    GROUP BY community_id, role, stage, platform
)
GROUP BY community_id;
