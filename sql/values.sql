-- title: who spoke of each value in each month, and who acted on it: what {values} stands for in views
-- speaks, acts: in the month. follows: acted between the first word of the month and 28 days later.
-- As {db}.value_acts, from its table: that view lists communities, which is not needed here.
(
    WITH
        (SELECT groupUniqArray(community_id) FROM {store}.value_acts FINAL) AS declaring,
        signs AS
        (
            SELECT
                community_id, kind, ref, member_id, toStartOfMonth(day) AS month, s.events AS acts, first_at, last_at,
                transform(community_id, declaring, declaring, '') AS declared_by
            FROM {db}.signs AS s
            WHERE kind IN ('value', 'ritual', 'product', 'place')
        ),
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
        )
    SELECT
        community_id, month, value, messages, speaks, notEmpty(deeds) AS acts,
        speaks AND arrayExists(
            each -> each.2 >= spoke_at AND each.1 <= spoke_at + INTERVAL 28 DAY,
            groupArrayArray(deeds) OVER (PARTITION BY community_id, value, member_id)
        ) AS follows
    FROM lives
)
