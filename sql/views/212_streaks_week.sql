-- title: streaks of active weeks: how many weeks in a row each member took part
-- A week is kept by a day that is kept (see streaks). A missing week ends the streak, unless a holiday is in it.
CREATE OR REPLACE VIEW {db}.streaks_week AS
WITH
    {clocks} AS clocks,
    toInt32(transform(community_id, clocks.1, clocks.2, clocks.2[1])) AS local_today
SELECT
    community_id,
    member_id,
    toMonday(toDate(first)) AS first_week,
    toMonday(toDate(last)) AS last_week,
    toUInt32(length(run)) AS weeks,
    toUInt32(intDiv(last - first, 7) + 1 - weeks) AS frozen_weeks,
    intDiv(known_to - last, 7) - 1 - arrayCount(monday -> monday > last AND monday < known_to, off) <= 0 AS alive
FROM
(
    SELECT
        community_id,
        member_id,
        off,
        arraySort(groupArray(mark)) AS marks,
        max(greatest(intDiv(marks[-1], 2), local_today - (local_today + 3) % 7)) OVER (PARTITION BY community_id) AS known_to,
        arrayMap(chain -> if(chain[1] % 2 = 1, chain, arrayPopFront(chain)), arraySplit(
            (mark, before) ->
                intDiv(intDiv(mark, 2) - intDiv(before, 2), 7) - 1
                - arrayCount(monday -> monday > intDiv(before, 2) AND monday < intDiv(mark, 2), off) > 0,
            marks,
            arrayPopBack(arrayPushFront(marks, 0))
        )) AS runs
    FROM
    (
        -- Twice the Monday, plus one when a day of the week was active.
        SELECT community_id, member_id, 2 * toInt32(toMonday(day)) + 1 - min(kept_by_night) AS mark
        FROM {db}.streak_days
        GROUP BY community_id, member_id, toMonday(day)
    ) AS weeks
    INNER JOIN
    (
        SELECT rules.community_id AS community_id, groupUniqArrayIf(toInt32(toMonday(free.day)), free.name != '') AS off
        FROM {db}.streak_rules AS rules
        LEFT JOIN {db}.holidays AS free ON free.community_id = rules.community_id
        GROUP BY rules.community_id
    ) AS rules USING (community_id)
    GROUP BY community_id, member_id, off
)
ARRAY JOIN
    runs AS run,
    arrayMap(r -> intDiv(r[1], 2), runs) AS first,
    arrayMap(r -> intDiv(r[-1], 2), runs) AS last;
