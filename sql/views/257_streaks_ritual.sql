-- title: streaks at rituals: how many occurrences in a row each member came to
-- An occurrence is a day on which anybody came (see ritual_attendance). One that falls on a holiday may be missed.
CREATE OR REPLACE VIEW {db}.streaks_ritual AS
WITH
    held AS
    (
        -- number: of the occurrences so far that may not be missed; the day that is going on is not missed yet.
        SELECT
            community_id,
            source,
            ritual,
            day,
            came,
            (community_id, day) NOT IN (SELECT community_id, day FROM {db}.holidays) AS counts,
            sum(counts) OVER (PARTITION BY community_id, source, ritual ORDER BY day) AS number,
            sum(counts AND (over OR day < last_day)) OVER (PARTITION BY community_id, source, ritual) AS latest
        FROM
        (
            SELECT
                community_id,
                source,
                ritual,
                day,
                groupArray(member_id) AS came,
                any(settled) AS over,
                max(day) OVER (PARTITION BY community_id) AS last_day
            FROM {db}.ritual_roll
            WHERE member_id != ''
            GROUP BY community_id, source, ritual, day
        )
    )
SELECT
    community_id,
    source,
    ritual,
    member_id,
    run[1].1 AS first_day,
    run[-1].1 AS last_day,
    toUInt32(length(run)) AS occurrences,
    run[-1].2 >= latest AS alive
FROM
(
    SELECT
        community_id,
        source,
        ritual,
        member_id,
        any(held.latest) AS latest,
        arraySort(groupArray((day, number, counts))) AS marks,
        arraySplit(
            (mark, before) -> mark.2 - mark.3 > before.2, marks, arrayPopBack(arrayPushFront(marks, marks[1]))
        ) AS runs
    FROM held
    ARRAY JOIN came AS member_id
    GROUP BY community_id, source, ritual, member_id
)
ARRAY JOIN runs AS run;
