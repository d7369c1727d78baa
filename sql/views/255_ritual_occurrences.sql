-- title: each occurrence of each ritual: who came, of how many, and how many have made it a habit
-- eligible: engaged in the 28 days that end with it. regulars: came to at least 3 of the last 4 occurrences that anybody came to,
-- this one included; habit_rate: of all who came to any of the 4. host: who is declared and came, else who came first.
-- Past dates on which a declared or inferred ritual was due and nobody came are rows of zeros, from the first occurrence on.
CREATE OR REPLACE VIEW {db}.ritual_occurrences AS
WITH
    (SELECT groupUniqArray(community_id) FROM {store}.declared_rituals FINAL) AS declaring,
    occurrences AS
    (
        SELECT
            *,
            if(source = 'named', transform(community_id, declaring, declaring, ''), NULL) AS declared_by
        FROM {occurrences}
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
    o.attendees AS attendees,
    o.eligible AS eligible,
    o.turnout AS turnout,
    o.regulars AS regulars,
    o.habit_rate AS habit_rate,
    if(has(o.people, if(length(p.persons) = 1, p.persons[1], d.declared_host) AS host), host, o.opened_by) AS host_id,
    o.settled AS settled
FROM occurrences AS o
LEFT JOIN declared AS d ON d.declared_by = o.declared_by AND d.ritual = o.ritual
LEFT JOIN people AS p ON p.community_id = o.community_id AND p.declared_host = d.declared_host;
