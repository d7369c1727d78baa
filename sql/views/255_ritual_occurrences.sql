-- title: each occurrence of each ritual: who came, of how many, and how many have made it a habit
-- eligible: engaged in the 28 days that end with it. regulars: came to at least 3 of the last 4 occurrences that anybody came to,
-- this one included; habit_rate: of all who came to any of the 4. host: declared, else who came first.
-- Past dates on which a declared or inferred ritual was due and nobody came are rows of zeros, from the first occurrence on.
CREATE OR REPLACE VIEW {db}.ritual_occurrences AS
WITH
    -- Whoever came counts in this occurrence and in the habits of the next three; a date without anybody stands for itself.
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
        -- Before anybody came to it, a ritual was not there to be missed.
        WHERE number > 0
        GROUP BY community_id, source, ritual, occurrence, empty_day, member_id
    ),
    held AS
    (
        SELECT
            community_id, source, ritual, empty_day,
            max(on_day) AS day,
            countIf(present = 1 AND member_id != '') AS attendees,
            argMinIf(member_id, (at, member_id), present = 1) AS opener,
            if(attendees > 0 AND occurrence >= 4, countIf(times >= 3), NULL) AS regulars,
            regulars / count() AS habit_rate,
            max(over) AS settled
        FROM habits
        GROUP BY community_id, source, ritual, occurrence, empty_day
        HAVING attendees > 0 OR empty_day > toDate(0)
    ),
    occurrences AS
    (
        SELECT
            community_id, source, ritual, day,
            max(h.attendees) AS came,
            max(h.opener) AS opened_by,
            max(h.regulars) AS regulars,
            max(h.habit_rate) AS habit_rate,
            max(h.settled) AS settled,
            if(source != 'named', NULL,
                if(community_id IN (SELECT community_id FROM {store}.declared_rituals FINAL), community_id, '')) AS declared_by
        FROM held AS h
        GROUP BY community_id, source, ritual, day
    ),
    -- As {db}.declared_rituals, from its table: that view lists communities, which is not needed here.
    declared AS
    (
        SELECT community_id AS declared_by, ritual, any(host_id) AS declared_host, 1 AS is_declared
        FROM {store}.declared_rituals FINAL
        GROUP BY community_id, ritual
    ),
    people AS
    (
        SELECT community_id, account_id AS declared_host, groupUniqArray(member_id) AS persons
        FROM {store}.linked_accounts FINAL
        GROUP BY community_id, account_id
    )
SELECT
    o.community_id AS community_id,
    if(d.is_declared, 'declared', o.source) AS source,
    o.ritual AS ritual,
    o.day AS day,
    o.came AS attendees,
    a.mau AS eligible,
    o.came / nullIf(a.mau, 0) AS turnout,
    o.regulars AS regulars,
    o.habit_rate AS habit_rate,
    multiIf(
        o.came = 0 OR d.declared_host = '', o.opened_by,
        length(p.persons) = 1, p.persons[1],
        d.declared_host
    ) AS host_id,
    o.settled AS settled
FROM occurrences AS o
LEFT JOIN declared AS d ON d.declared_by = o.declared_by AND d.ritual = o.ritual
LEFT JOIN people AS p ON p.community_id = o.community_id AND p.declared_host = d.declared_host
LEFT JOIN (SELECT community_id, day, mau FROM {db}.active_members) AS a ON a.community_id = o.community_id AND a.day = o.day;
