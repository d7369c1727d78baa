-- title: Are values only talked about, or lived?
-- talk_share: of all messages. talk_to_act: of those who spoke of the value, the share that acted on it within four weeks.
SELECT month, value, messages, round(talk_share, 2) AS talk_share, talkers, actors, round(talk_to_act, 2) AS talk_to_act
FROM shared_values
WHERE community_id = 'reading-circle' AND month < '2026-03-01'
ORDER BY month, value;
