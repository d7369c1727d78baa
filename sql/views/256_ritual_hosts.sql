-- title: how much each ritual hangs on its host
-- Over its last 26 occurrences that anybody came to. main_host hosted most of them; absence_factor: the fewest hosts that hosted
-- half of them or more.
CREATE OR REPLACE VIEW {db}.ritual_hosts AS
WITH
    latest AS
    (
        SELECT community_id, source, ritual, day, attendees, host_id
        FROM {db}.ritual_occurrences
        WHERE attendees > 0
        ORDER BY day DESC
        LIMIT 26 BY community_id, source, ritual
    ),
    hosts AS
    (
        SELECT
            community_id, source, ritual, host_id,
            count() AS hosted,
            sum(attendees) AS came,
            min(day) AS first_day,
            max(day) AS last_day
        FROM latest
        GROUP BY community_id, source, ritual, host_id
    )
SELECT
    community_id,
    source,
    ritual,
    min(first_day) AS since,
    max(last_day) AS until,
    sum(hosted) AS occurrences,
    count() AS hosts,
    argMin(host_id, (-hosted, host_id)) AS main_host,
    max(hosted) AS hosted_by_main,
    hosted_by_main / occurrences AS host_dependence,
    arrayFirstIndex(
        c -> 2 * c >= occurrences, arrayCumSum(arrayReverseSort(groupArray(hosted)))
    ) AS absence_factor,
    sumIf(came, host_id = main) / hosted_by_main AS attendees_with_main,
    sumIf(came, host_id != main) / nullIf(occurrences - hosted_by_main, 0) AS attendees_without_main
FROM
(
    SELECT *, first_value(host_id) OVER (PARTITION BY community_id, source, ritual ORDER BY hosted DESC, host_id) AS main FROM hosts
)
GROUP BY community_id, source, ritual;
