-- title: what moderation says of members
CREATE OR REPLACE VIEW {db}.member_standing AS
SELECT community_id, member_id, actor_kind, hidden, erased
FROM {store}.member_standing FINAL;
