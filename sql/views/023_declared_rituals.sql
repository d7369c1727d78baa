-- title: rituals that communities declared
-- A community that has none of its own has the defaults. host_id is the person, where the settings name one of their accounts;
-- hosts: whoever is called as the settings say, or has an account that is.
CREATE OR REPLACE VIEW {db}.declared_rituals AS
SELECT
    places.community_id AS community_id,
    said.* EXCEPT (community_id, version, host_id),
    if(length(people.persons) = 1, people.persons[1], said.host_id) AS host_id,
    if(said.host_id = '', [], arrayDistinct(arrayPushFront(people.persons, said.host_id))) AS hosts
FROM (SELECT community_id FROM {db}.communities) AS places
INNER JOIN (SELECT * EXCEPT (is_deleted) FROM {store}.declared_rituals FINAL) AS said
    ON said.community_id = if(places.community_id IN (SELECT community_id FROM {store}.declared_rituals FINAL), places.community_id, '')
LEFT JOIN
(
    SELECT community_id, account_id, groupUniqArray(member_id) AS persons
    FROM {store}.linked_accounts FINAL
    GROUP BY community_id, account_id
) AS people ON people.community_id = places.community_id AND people.account_id = said.host_id;
