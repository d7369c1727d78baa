-- title: ties between members as they were at a moment: ties_at(at = '2026-01-31 12:00:00')
-- Counted actors on both ends. Knows the minute that contains the moment and those before it.
-- An occurrence is a ritual on a day of the community. One with more than 50 who checked in is a crowd: it ties nobody.
CREATE OR REPLACE VIEW {db}.ties_at AS
WITH
    {at:DateTime('UTC')} AS moment,
    toStartOfMinute(moment) + 60 AS until,
    (SELECT any(zone) FROM {store}.communities FINAL WHERE community_id = '') AS default_zone,
    attended AS
    (
        SELECT
            t.community_id AS community_id, t.subject_id AS ritual, t.member_id AS member_id, t.start AS start,
            t.first_at AS came_at, if(said.zone = '', default_zone, said.zone) AS zone
        FROM {store}.tie_minute AS t FINAL
        LEFT JOIN (SELECT community_id, zone FROM {store}.communities FINAL) AS said ON said.community_id = t.community_id
        WHERE t.kind = 'attended' AND t.actor_kind IN {counted} AND t.start < until
    )
SELECT
    community_id,
    member_id,
    other_id,
    sum(acts.replies) AS replies,
    sum(acts.mentions) AS mentions,
    greatest(0, sum(acts.reactions)) AS reactions,
    sum(acts.occurrences) AS occurrences,
    min(acts.first_at) AS first_at,
    max(acts.last_at) AS last_at,
    intDiv(greatest(0, dateDiff('millisecond', last_at, toDateTime64(moment, 3, 'UTC'))), 30 * 86400000) AS idle_months,
    (10 * replies + 5 * mentions + reactions + 2 * occurrences) * pow(0.9, idle_months) AS strength,
    any(moment) AS as_of
FROM
(
    SELECT
        community_id,
        member_id,
        other_id,
        said.replies AS replies,
        said.mentions AS mentions,
        said.reactions AS reactions,
        toUInt64(0) AS occurrences,
        said.first_at AS first_at,
        said.last_at AS last_at
    FROM
    (
        SELECT
            community_id,
            member_id,
            other_id,
            sumIf(t.events, kind = 'reply') AS replies,
            sumIf(t.events, kind = 'mention') AS mentions,
            sumIf(t.events, kind = 'reaction') AS reactions,
            min(t.first_at) AS first_at,
            max(t.last_at) AS last_at
        FROM {store}.tie_minute AS t FINAL
        WHERE kind IN ('reply', 'mention', 'reaction') AND other_id != '' AND actor_kind IN {counted}
            AND (other_kind IN {counted} OR (other_kind = '' AND kind = 'mention')) AND start < until
        GROUP BY community_id, member_id, other_id
    ) AS said
    -- Nobody says what kind of actor is mentioned: whoever has acted as one that counts.
    INNER JOIN
    (
        SELECT community_id, member_id AS other_id
        FROM {db}.member_activity
        WHERE first_at < until
        GROUP BY community_id, other_id
    ) AS people USING (community_id, other_id)
    UNION ALL
    SELECT
        community_id,
        pair.1.1 AS member_id,
        pair.2.1 AS other_id,
        toInt64(0) AS replies,
        toInt64(0) AS mentions,
        toInt64(0) AS reactions,
        count() AS occurrences,
        min(greatest(pair.1.2, pair.2.2)) AS first_at,
        max(greatest(pair.1.2, pair.2.2)) AS last_at
    FROM
    (
        SELECT
            community_id,
            arrayJoin(there) AS one,
            (one, arrayJoin(arrayFilter(other -> other.1 != one.1, there))) AS pair
        FROM
        (
            SELECT community_id, ritual, day, groupArray((member_id, at)) AS there
            FROM
            (
                SELECT community_id, ritual, toDate(start + offset_s) AS day, member_id, min(came_at) AS at
                FROM attended
                ASOF LEFT JOIN (SELECT zone, from_utc, offset_s FROM {store}.zone_offsets FINAL) AS clocks
                    ON clocks.zone = attended.zone AND attended.start >= clocks.from_utc
                GROUP BY community_id, ritual, day, member_id
            )
            GROUP BY community_id, ritual, day
            HAVING length(there) <= 50
        )
    )
    GROUP BY community_id, member_id, other_id
) AS acts
GROUP BY community_id, member_id, other_id
HAVING strength > 0;
