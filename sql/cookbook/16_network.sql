-- title: How closely is the community tied, and by how many members?
-- density: tied pairs of all pairs. reciprocity: ties that go both ways. absence_factor: so many members hold half of all reach.
SELECT members, pairs, round(density, 2) AS density, round(reciprocity, 2) AS reciprocity, absence_factor
FROM network_at(at = '2026-03-01 23:59:59')
WHERE community_id = 'reading-circle';
