-- title: What is the belonging index made of, and where does each part stand?
-- percentile compares a month with the community's own history; it is empty before the sixth month that has the part.
SELECT month, component, round(value, 2) AS value, months, percentile
FROM belonging_components
WHERE community_id = 'reading-circle'
ORDER BY month, component;
