-- title: How busy was it at a given moment?
-- Windows end with the minute of the moment; `activity_rolling` without a moment ends now. A member counts once a window.
SELECT window, events, members, engaged_members, contributing_members
FROM activity_rolling_at(at = '2026-03-03 12:20:59')
WHERE community_id = 'tea-house'
ORDER BY indexOf(['5m', '1h', '24h', '7d', '28d'], window);
