-- title: what each member did on each day: the base of every number about members
-- Counted actors only (humans, unless the settings say otherwise). One row a community, day, member, family and platform, and
-- one a kind of actor where several are counted. engaged: the family counts as taking part; contributing: as giving something.
CREATE OR REPLACE VIEW {db}.member_activity AS
SELECT
    community_id,
    toDate(start) AS day,
    member_id,
    family,
    platform,
    m.events AS events,
    first_at,
    last_at,
    family IN {engaged} AS engaged,
    family IN {contributing} AS contributing
FROM {store}.member_day AS m FINAL
WHERE actor_kind IN {counted};
