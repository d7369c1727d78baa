-- title: engaged members by role, stage and platform at a moment: engaged_by_segment_at(at = '2026-01-31 12:00:00', days = 28)
-- Each member is in one segment. Fewer than {smallest_cohort} members are withheld: NULL.
CREATE OR REPLACE VIEW {db}.engaged_by_segment_at AS
SELECT
    community_id,
    role,
    stage,
    platform,
    if(count() < {smallest_cohort}, NULL, count()) AS members,
    any(e.as_of) AS as_of,
    any(e.days) AS days
FROM {db}.engaged_members_at(at = {at:DateTime('UTC')}, days = {days:UInt16}) AS e
GROUP BY community_id, role, stage, platform;
