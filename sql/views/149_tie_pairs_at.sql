-- title: pairs of members with a tie in either direction, as they were at a moment: tie_pairs_at(at = '2026-01-31 12:00:00')
-- What the ties are made of: one row for both directions, so that nobody who asks about both has to look for the other one.
-- forth: from one_id, the lesser of the two ids, to two_id; back: from two_id to one_id.
-- Counted actors on both ends. Knows the minute that contains the moment and those before it.
-- An occurrence is a ritual on a day of the community. One with more than 50 who checked in is a crowd: it ties nobody.
CREATE OR REPLACE VIEW {db}.tie_pairs_at AS
WITH
    {at:DateTime('UTC')} AS moment,
    toStartOfMinute(moment) + 60 AS until,
    {zones} AS zones
SELECT
    *,
    intDiv(greatest(0, dateDiff('millisecond', forth_last_at, toDateTime64(moment, 3, 'UTC'))), 30 * 86400000) AS forth_idle_months,
    intDiv(greatest(0, dateDiff('millisecond', back_last_at, toDateTime64(moment, 3, 'UTC'))), 30 * 86400000) AS back_idle_months,
    (10 * forth_replies + 5 * forth_mentions + forth_reactions + 2 * occurrences) * pow(0.9, forth_idle_months) AS forth_strength,
    (10 * back_replies + 5 * back_mentions + back_reactions + 2 * occurrences) * pow(0.9, back_idle_months) AS back_strength,
    moment AS as_of
FROM
(
    SELECT
        community_id,
        one_id,
        two_id,
        sumIf(acts.reply, forth) AS forth_replies,
        sumIf(acts.mention, forth) AS forth_mentions,
        greatest(0, sumIf(acts.reaction, forth)) AS forth_reactions,
        minIf(acts.first_at, forth) AS forth_first_at,
        maxIf(acts.last_at, forth) AS forth_last_at,
        sumIf(acts.reply, back) AS back_replies,
        sumIf(acts.mention, back) AS back_mentions,
        greatest(0, sumIf(acts.reaction, back)) AS back_reactions,
        minIf(acts.first_at, back) AS back_first_at,
        maxIf(acts.last_at, back) AS back_last_at,
        countIf(forth AND back) AS occurrences
    FROM
    (
        SELECT
            community_id,
            least(t.member_id, other_id) AS one_id,
            greatest(t.member_id, other_id) AS two_id,
            t.member_id < other_id AS forth,
            NOT forth AS back,
            if(t.kind = 'reply', t.events, 0) AS reply,
            if(t.kind = 'mention', t.events, 0) AS mention,
            if(t.kind = 'reaction', t.events, 0) AS reaction,
            t.first_at AS first_at,
            t.last_at AS last_at
        FROM {store}.tie_minute AS t FINAL
        -- Nobody says what kind of actor is mentioned: whoever has acted as one that counts.
        INNER JOIN
        (
            SELECT community_id, member_id AS other_id
            FROM {db}.member_activity
            WHERE first_at < until
            GROUP BY community_id, other_id
        ) AS people USING (community_id, other_id)
        WHERE t.kind IN ('reply', 'mention', 'reaction') AND other_id != '' AND t.actor_kind IN {counted}
            AND (t.other_kind IN {counted} OR (t.other_kind = '' AND t.kind = 'mention')) AND t.start < until
        UNION ALL
        SELECT
            community_id,
            one.1 AS one_id,
            two.1 AS two_id,
            1 AS forth,
            1 AS back,
            0 AS reply,
            0 AS mention,
            0 AS reaction,
            greatest(one.2, two.2) AS first_at,
            first_at AS last_at
        FROM
        (
            SELECT community_id, arrayJoin(there) AS one, arrayJoin(arrayFilter(other -> other.1 > one.1, there)) AS two
            FROM
            (
                SELECT community_id, ritual, day, groupArray((member_id, at)) AS there
                FROM
                (
                    SELECT community_id, ritual, toDate(start + offset_s) AS day, member_id, min(came_at) AS at
                    FROM
                    (
                        SELECT
                            t.community_id AS community_id, t.subject_id AS ritual, t.member_id AS member_id, t.start AS start,
                            t.first_at AS came_at, transform(t.community_id, zones.1, zones.2, zones.2[1]) AS zone
                        FROM {store}.tie_minute AS t FINAL
                        WHERE t.kind = 'attended' AND t.actor_kind IN {counted} AND t.start < until
                    ) AS attended
                    ASOF LEFT JOIN (SELECT zone, from_utc, offset_s FROM {store}.zone_offsets FINAL) AS clocks
                        ON clocks.zone = attended.zone AND attended.start >= clocks.from_utc
                    GROUP BY community_id, ritual, day, member_id
                )
                GROUP BY community_id, ritual, day
                HAVING length(there) <= 50
            )
        )
    ) AS acts
    GROUP BY community_id, one_id, two_id
)
WHERE forth_strength > 0 OR back_strength > 0;
