-- title: What is the activity made of?
-- Events are counted for every segment; members only where they are five or more, otherwise the cell is empty.
SELECT family, platform, events, members
FROM activity_rolling_by_segment_at(at = '2026-03-01 23:59:00')
WHERE community_id = 'reading-circle' AND window = '28d'
ORDER BY events DESC, family, platform;
