-- title: activity of facts
-- One row a bucket, family, platform and actor kind. {bucket} is the start of the bucket, {facts} the chosen facts.
SELECT
    community_id,
    {bucket} AS start,
    family,
    platform,
    actor_kind,
    count() AS events,
    uniqExactState(member_id) AS members
FROM {facts}
GROUP BY ALL
