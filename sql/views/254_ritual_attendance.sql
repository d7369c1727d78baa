-- title: who came to which ritual on which day
-- source: named when check-ins name it, else inferred. Counted actors only. Days are the community's own.
CREATE OR REPLACE VIEW {db}.ritual_attendance AS
SELECT community_id, source, ritual, day, member_id, arrived_at
FROM {db}.ritual_roll
WHERE member_id != '';
