-- title: what became of each message that answers no other, as known at a moment: first_response_at(at = '2026-01-31 12:00:00')
-- Counted actors only. day is the community's own. A reply by the author does not count. Without a reply: open for 24 hours, then unanswered.
CREATE OR REPLACE VIEW {db}.first_response_at AS
WITH
    {at:DateTime('UTC')} AS moment,
    toStartOfMinute(moment) + 60 AS until,
    {zones} AS zones
SELECT
    r.community_id AS community_id,
    toDate(asked_at + offset_s) AS day,
    message_id,
    asked_at,
    member_id,
    first_reply_at,
    seconds,
    state,
    as_of
FROM
(
    SELECT
        t.community_id AS community_id,
        subject_id AS message_id,
        subject_at AS asked_at,
        anyIf(t.member_id, kind = 'start') AS member_id,
        if(countIf(kind = 'reply') = 0, NULL, minIf(t.first_at, kind = 'reply')) AS first_reply_at,
        -- A reply from a clock that is behind comes at once. (greatest() would turn NULL into 0.)
        if(first_reply_at < asked_at, 0, dateDiff('millisecond', asked_at, first_reply_at)) / 1000 AS seconds,
        multiIf(
            seconds <= 86400, 'answered',
            seconds > 86400, 'late',
            asked_at + INTERVAL 1 DAY <= any(moment), 'unanswered',
            'open'
        ) AS state,
        any(moment) AS as_of,
        toDateTime(asked_at) AS asked_second,
        transform(t.community_id, zones.1, zones.2, zones.2[1]) AS zone
    FROM {store}.tie_minute AS t FINAL
    WHERE kind IN ('start', 'reply') AND subject_id != '' AND actor_kind IN {counted} AND start < until
    GROUP BY community_id, subject_at, subject_id
    HAVING countIf(kind = 'start') > 0
) AS r
ASOF LEFT JOIN (SELECT zone, from_utc, offset_s FROM {store}.zone_offsets FINAL) AS o
    ON o.zone = r.zone AND r.asked_second >= o.from_utc;
