-- title: accounts that are linked, and the person each belongs to
CREATE OR REPLACE VIEW {db}.linked_accounts AS
SELECT community_id, member_id, platform, account_id
FROM {store}.linked_accounts FINAL;
