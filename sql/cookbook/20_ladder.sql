-- title: How many members stand on each step of the ladder?
-- On any day, from co-builder down to visitor. Members step up at once, and down only after two weeks of grace.
SELECT level, rank, count() AS members, arraySort(groupArray(member_id)) AS who
FROM ladder_at(at = '2026-03-01')
WHERE community_id = 'reading-circle'
GROUP BY level, rank
ORDER BY rank DESC;
