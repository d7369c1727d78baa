-- title: facts, one row an event, corrections applied
-- Members that an event names are persons too; what platforms call them is only left of who acted: account_id.
CREATE OR REPLACE VIEW {db}.events AS
WITH
    (
        SELECT (groupArray(cityHash64(community_id, platform, account_id)), groupArray(member_id))
        FROM {store}.linked_accounts FINAL
    ) AS people,
    account -> transform(cityHash64(community_id, platform, account), people.1, people.2, account) AS person
SELECT
    * EXCEPT (event_key, version, is_deleted)
    REPLACE (
        arrayMap(account -> person(account), mentions) AS mentions,
        person(target_member_id) AS target_member_id,
        person(inviter_id) AS inviter_id,
        person(invitee_id) AS invitee_id
    )
FROM {facts};
