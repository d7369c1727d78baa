-- title: activity of facts
-- One row a bucket, family, platform and actor kind. {bucket} is the start of the bucket, {where} chooses facts.
SELECT
    community_id,
    {bucket} AS start,
    type AS family,
    platform,
    actor_kind,
    count() AS events,
    uniqExactState(member_id) AS members
FROM {store}.events FINAL
WHERE {where}
GROUP BY ALL
