-- title: streaks of active days: how many days in a row each member took part
-- A day is kept by an engaged event on it, or by one in the first hours of the next day, which cannot begin a streak. Missing days
-- end it when more of them than the freeze follow each other; holidays are not counted as missing.
CREATE OR REPLACE VIEW {db}.streaks AS
WITH
    {clocks} AS clocks,
    toInt32(transform(community_id, clocks.1, clocks.2, clocks.2[1])) AS local_today
SELECT
    community_id,
    member_id,
    toDate(first) AS first_day,
    toDate(last) AS last_day,
    toUInt32(length(run)) AS days,
    toUInt32(last - first + 1 - days) AS frozen_days,
    known_to - last - 1 - arrayCount(holiday -> holiday > last AND holiday < known_to, off) <= freeze AS alive
FROM
(
    SELECT
        community_id,
        member_id,
        off,
        freeze,
        -- Twice the day, plus one when it was active and not only kept by the night after it.
        arraySort(groupArray(2 * toInt32(day) + 1 - kept_by_night)) AS marks,
        max(greatest(intDiv(marks[-1], 2), local_today)) OVER (PARTITION BY community_id) AS known_to,
        arrayMap(chain -> if(chain[1] % 2 = 1, chain, arrayPopFront(chain)), arraySplit(
            (mark, before) ->
                intDiv(mark, 2) - intDiv(before, 2) - 1
                - arrayCount(holiday -> holiday > intDiv(before, 2) AND holiday < intDiv(mark, 2), off) > freeze,
            marks,
            arrayPopBack(arrayPushFront(marks, 0))
        )) AS runs
    FROM {db}.streak_days
    INNER JOIN
    (
        SELECT rules.community_id AS community_id, toInt32(any(rules.freeze_days)) AS freeze, groupArray(toInt32(free.day)) AS off
        FROM {db}.streak_rules AS rules
        LEFT JOIN {db}.holidays AS free ON free.community_id = rules.community_id
        GROUP BY rules.community_id
    ) AS rules USING (community_id)
    GROUP BY community_id, member_id, off, freeze
)
ARRAY JOIN
    runs AS run,
    arrayMap(r -> intDiv(r[1], 2), runs) AS first,
    arrayMap(r -> intDiv(r[-1], 2), runs) AS last;
