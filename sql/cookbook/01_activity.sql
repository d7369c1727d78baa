-- title: How much happens each day, and how many members take part?
-- Present, engaged and contributing are nested: whoever contributes is engaged, whoever is engaged is present. Days are UTC.
SELECT toDate(start) AS day, events, members, engaged_members, contributing_members, settled
FROM activity_day
WHERE community_id = 'tea-house'
ORDER BY day;
