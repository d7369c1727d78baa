-- title: who checked in at which ritual on which day
-- Counted actors only. Days are the community's own.
CREATE OR REPLACE VIEW {db}.ritual_check_ins AS
WITH
    (SELECT any(zone) FROM {store}.communities FINAL WHERE community_id = '') AS default_zone,
    signs AS
    (
        SELECT
            s.community_id AS community_id, toDateTime(s.first_at) AS moment, s.ref AS ritual, s.member_id AS member_id, s.first_at AS came_at,
            if(said.zone = '', default_zone, said.zone) AS zone
        FROM {store}.sign_hour AS s FINAL
        LEFT JOIN (SELECT community_id, zone FROM {store}.communities FINAL) AS said ON said.community_id = s.community_id
        WHERE s.kind = 'ritual' AND s.actor_kind IN {counted}
    )
SELECT
    community_id,
    ritual,
    toDate(moment + offset_s) AS day,
    member_id,
    min(came_at) AS arrived_at
FROM signs
ASOF LEFT JOIN (SELECT zone, from_utc, offset_s FROM {store}.zone_offsets FINAL) AS o
    ON o.zone = signs.zone AND signs.moment >= o.from_utc
GROUP BY community_id, ritual, day, member_id;
