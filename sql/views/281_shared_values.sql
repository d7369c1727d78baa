-- title: what a community holds dear: how much it is spoken of, and whether whoever speaks of it acts on it
-- One row a month and value that was spoken of or acted on. talk_to_act: of the members who spoke of the value in the month, the
-- share that acted on it between their first word of the month and 28 days later.
CREATE OR REPLACE VIEW {db}.shared_values AS
WITH
    signs AS
    (
        SELECT
            community_id, kind, ref, member_id, toStartOfMonth(day) AS month, s.events AS acts, first_at, last_at,
            if(community_id IN (SELECT community_id FROM {store}.value_acts FINAL), community_id, '') AS declared_by
        FROM {db}.signs AS s
        WHERE kind IN ('value', 'ritual', 'product', 'place')
    ),
    -- As {db}.value_acts, from its table: that view lists communities, which is not needed here.
    lives AS
    (
        SELECT
            community_id, month, if(kind = 'value', ref, acted_on) AS value, member_id,
            sumIf(acts, kind = 'value') AS messages,
            countIf(kind = 'value') > 0 AS speaks,
            minIf(first_at, kind = 'value') AS spoke_at,
            groupArrayIf((first_at, last_at), kind != 'value') AS deeds
        FROM signs
        LEFT JOIN
        (
            SELECT community_id AS declared_by, toString(v.kind) AS kind, ref, value AS acted_on FROM {store}.value_acts AS v FINAL
        ) AS meant USING (declared_by, kind, ref)
        WHERE kind = 'value' OR acted_on != ''
        GROUP BY community_id, month, value, member_id
    ),
    months AS
    (
        SELECT
            community_id, month, value, messages, speaks, notEmpty(deeds) AS acts,
            speaks AND arrayExists(
                each -> each.2 >= spoke_at AND each.1 <= spoke_at + INTERVAL 28 DAY,
                groupArrayArray(deeds) OVER (PARTITION BY community_id, value, member_id)
            ) AS follows
        FROM lives
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
