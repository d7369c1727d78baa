-- title: each occurrence of each ritual, without its host: what {occurrences} stands for in views
-- Whoever came counts in this occurrence and in the habits of the next three; a date without anybody stands for itself.
-- Before anybody came to it, a ritual was not there to be missed.
(
    WITH
        habits AS
        (
            SELECT
                community_id, source, ritual, occurrence, empty_day, member_id,
                count() AS times,
                countIf(occurrence = number) AS present,
                maxIf(day, occurrence = number) AS on_day,
                maxIf(arrived_at, occurrence = number) AS at,
                maxIf(settled, occurrence = number) AS over
            FROM
            (
                SELECT
                    *,
                    uniqExactIf(day, member_id != '') OVER (PARTITION BY community_id, source, ritual ORDER BY day) AS number,
                    if(member_id = '', day, toDate(0)) AS empty_day
                FROM {db}.ritual_roll
            )
            ARRAY JOIN if(member_id = '', [number], range(number, number + 4)) AS occurrence
            WHERE number > 0
            GROUP BY community_id, source, ritual, occurrence, empty_day, member_id
        ),
        held AS
        (
            SELECT
                community_id, source, ritual, empty_day,
                max(on_day) AS day,
                countIf(present = 1 AND member_id != '') AS attendees,
                groupArrayIf(member_id, present = 1 AND member_id != '') AS people,
                argMinIf(member_id, (at, member_id), present = 1) AS opener,
                if(attendees > 0 AND occurrence >= 4, countIf(times >= 3), NULL) AS regulars,
                regulars / count() AS habit_rate,
                max(over) AS settled
            FROM habits
            GROUP BY community_id, source, ritual, occurrence, empty_day
            HAVING attendees > 0 OR empty_day > toDate(0)
        )
    SELECT
        o.community_id AS community_id,
        o.source AS source,
        o.ritual AS ritual,
        o.day AS day,
        o.came AS attendees,
        a.mau AS eligible,
        o.came / nullIf(a.mau, 0) AS turnout,
        o.regulars AS regulars,
        o.habit_rate AS habit_rate,
        o.opened_by AS opened_by,
        o.people AS people,
        o.settled AS settled
    FROM
    (
        SELECT
            community_id, source, ritual, day,
            max(h.attendees) AS came,
            max(h.opener) AS opened_by,
            groupArrayArray(h.people) AS people,
            max(h.regulars) AS regulars,
            max(h.habit_rate) AS habit_rate,
            max(h.settled) AS settled
        FROM held AS h
        GROUP BY community_id, source, ritual, day
    ) AS o
    LEFT JOIN (SELECT community_id, day, mau FROM {db}.active_members) AS a ON a.community_id = o.community_id AND a.day = o.day
)
