-- title: How many members would have to leave for half of the contributions to go?
-- One is a one-person show. largest_share is the part of the busiest member.
SELECT month, absence_factor, contributors, contributions, round(largest_share, 2) AS largest_share
FROM absence_factor_month
WHERE community_id = 'reading-circle'
ORDER BY month;
