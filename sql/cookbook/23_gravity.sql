-- title: Does the community hold its members more strongly than before?
-- Mean of the squared weights of their levels: grows as members climb.
SELECT week, members, round(gravity, 2) AS gravity, round(change, 2) AS change
FROM gravity
WHERE community_id = 'reading-circle' AND week < '2026-03-02'
ORDER BY week;
