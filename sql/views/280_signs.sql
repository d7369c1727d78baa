-- title: signs of belonging: what members' events speak of, ask for, thank for, attend and buy
-- One row a local day, kind, reference and member. Counted actors only. Where midnight is within an hour of UTC, what a member
-- repeats in that hour is told on the day of the first.
CREATE OR REPLACE VIEW {db}.signs AS
WITH
    {zones} AS zones,
    hours AS
    (
        SELECT
            s.community_id AS community_id, s.kind AS kind, s.ref AS ref, s.member_id AS member_id, s.events AS acts,
            s.first_at AS since, s.last_at AS until, toDateTime(s.first_at) AS moment,
            transform(s.community_id, zones.1, zones.2, zones.2[1]) AS zone
        FROM {store}.sign_hour AS s FINAL
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
