-- title: Would a ritual go on without its host?
-- host_dependence is the share of occurrences that the main host opened; absence_factor: so many hosts opened half of them.
SELECT ritual, source, occurrences, hosts, main_host, round(host_dependence, 2) AS host_dependence, absence_factor
FROM ritual_hosts
WHERE community_id = 'reading-circle'
ORDER BY ritual;
