-- title: events per member of facts
-- One row a bucket, member, family, platform and actor kind.
SELECT
    community_id,
    {bucket} AS start,
    member_id,
    family,
    platform,
    actor_kind,
    count() AS events,
    min(event_time) AS first_at,
    max(event_time) AS last_at
FROM {facts}
GROUP BY ALL
