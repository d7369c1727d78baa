-- title: the zone of every community: what {zones} stands for in views, which name it zones
-- transform(community_id, zones.1, zones.2, zones.2[1]): communities that have settings, and first the default, for all others.
-- As in {db}.communities, which lists every community; and a join would take longer to plan.
(
    SELECT (
        arrayPushFront(groupArray(community_id), ''),
        arrayMap(
            said -> if(said = '', anyIf(zone, community_id = '') AS default_zone, said),
            arrayPushFront(groupArray(zone), '')
        )
    )
    FROM {store}.communities FINAL
)
