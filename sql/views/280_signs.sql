-- title: signs of belonging: what members' events speak of, ask for, thank for, attend and buy
-- One row a local day, kind, reference and member. Counted actors only. Where midnight is within an hour of UTC, what a member
-- repeats in that hour is told on the day of the first.
CREATE OR REPLACE VIEW {db}.signs AS
WITH
    (SELECT any(zone) FROM {store}.communities FINAL WHERE community_id = '') AS default_zone,
    hours AS
    (
        SELECT
            s.community_id AS community_id, s.kind AS kind, s.ref AS ref, s.member_id AS member_id, s.events AS acts,
            s.first_at AS since, s.last_at AS until, toDateTime(s.first_at) AS moment,
            if(said.zone = '', default_zone, said.zone) AS zone
        FROM {store}.sign_hour AS s FINAL
        LEFT JOIN (SELECT community_id, zone FROM {store}.communities FINAL) AS said ON said.community_id = s.community_id
        WHERE s.actor_kind IN {counted} AND s.kind != 'conversation'
    )
SELECT
    community_id,
    toDate(moment + offset_s) AS day,
    kind,
    ref,
    member_id,
    sum(acts) AS events,
    min(since) AS first_at,
    max(until) AS last_at
FROM hours
ASOF LEFT JOIN (SELECT zone, from_utc, offset_s FROM {store}.zone_offsets FINAL) AS o
    ON o.zone = hours.zone AND hours.moment >= o.from_utc
GROUP BY community_id, day, kind, ref, member_id;
