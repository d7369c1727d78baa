-- title: activity of a larger grain from a smaller one
-- Counts add up, member sets are united: the same rows as from the facts.
SELECT
    community_id,
    {bucket} AS start,
    family,
    platform,
    actor_kind,
    sum(source.events) AS events,
    uniqExactMergeState(source.members) AS members
FROM {store}.{source} AS source FINAL
WHERE {where}
GROUP BY ALL
