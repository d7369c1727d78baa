-- title: events per member of a larger grain from a smaller one
SELECT
    community_id,
    {bucket} AS start,
    member_id,
    family,
    platform,
    actor_kind,
    sum(source.events) AS events,
    min(source.first_at) AS first_at,
    max(source.last_at) AS last_at
FROM {store}.{source} AS source FINAL
WHERE {where}
GROUP BY ALL
