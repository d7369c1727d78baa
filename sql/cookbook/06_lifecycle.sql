-- title: Does the community win more members than it loses?
-- New, returning and resurrecting members add up to the active ones; dormant ones, shown negative, were there the week before.
SELECT week, active, new, returning, resurrecting, dormant
FROM lifecycle_week
WHERE community_id = 'reading-circle' AND week < '2026-03-02'
ORDER BY week;
