-- title: what a community holds dear: how much it is spoken of, and whether whoever speaks of it acts on it
-- One row a month and value that was spoken of or acted on. talk_to_act: of the members who spoke of the value in the month, the
-- share that acted on it between their first word of the month and 28 days later.
CREATE OR REPLACE VIEW {db}.shared_values AS
WITH
    told AS
    (
        SELECT
            community_id, toStartOfMonth(day) AS month, ref AS value, member_id, sum(s.events) AS messages,
            min(s.first_at) AS spoke_at
        FROM {db}.signs AS s
        WHERE kind = 'value'
        GROUP BY community_id, month, value, member_id
    ),
    acted AS
    (
        SELECT s.community_id AS community_id, v.value AS value, s.member_id AS member_id, s.day AS day, s.first_at AS first_at, s.last_at AS last_at
        FROM {db}.signs AS s
        INNER JOIN {db}.value_acts AS v ON v.community_id = s.community_id AND toString(v.kind) = toString(s.kind) AND v.ref = s.ref
    ),
    lives AS
    (
        SELECT community_id, value, member_id, groupArray((first_at, last_at)) AS acts
        FROM acted
        GROUP BY community_id, value, member_id
    ),
    months AS
    (
        SELECT
            t.community_id AS community_id, t.month AS month, t.value AS value, t.member_id AS member_id, t.messages AS messages,
            1 AS speaks, 0 AS acts,
            arrayExists(a -> a.2 >= t.spoke_at AND a.1 <= t.spoke_at + INTERVAL 28 DAY, l.acts) AS follows
        FROM told AS t
        LEFT JOIN lives AS l ON l.community_id = t.community_id AND l.value = t.value AND l.member_id = t.member_id
        UNION ALL
        SELECT DISTINCT community_id, toStartOfMonth(day) AS month, value, member_id, 0, 0, 1, 0
        FROM acted
    ),
    everything AS
    (
        SELECT community_id, toStartOfMonth(day) AS month, sum(m.events) AS all_messages
        FROM {db}.member_activity AS m
        WHERE family = 'message'
        GROUP BY community_id, month
    )
SELECT
    community_id,
    month,
    value,
    sum(m.messages) AS messages,
    sum(m.messages) / nullIf(any(e.all_messages), 0) AS talk_share,
    countIf(speaks) AS talkers,
    countIf(m.acts) AS actors,
    countIf(follows) AS talked_then_acted,
    talked_then_acted / nullIf(talkers, 0) AS talk_to_act
FROM months AS m
LEFT JOIN everything AS e USING (community_id, month)
GROUP BY community_id, month, value;
