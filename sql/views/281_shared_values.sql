-- title: what a community holds dear: how much it is spoken of, and whether whoever speaks of it acts on it
-- plan: inline
-- One row a month and value that was spoken of or acted on. talk_to_act: of the members who spoke of the value in the month, the
-- share that acted on it between their first word of the month and 28 days later.
CREATE OR REPLACE VIEW {db}.shared_values AS
WITH
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
FROM {values} AS m
LEFT JOIN everything AS e USING (community_id, month)
GROUP BY community_id, month, value;
