-- title: burstiness of communities at a moment: burstiness_at(at = '2026-01-31 12:00:00', days = 28)
-- (sigma - mu) / (sigma + mu) of the times between engaged events in the days x 24 hours that end with the moment: -1 as regular as
-- a clock, 0 as random as rain, towards 1 in bursts (Goh and Barabasi 2008). Unknown (NULL) below two gaps, or when all are zero.
CREATE OR REPLACE VIEW {db}.burstiness_at AS
WITH {at:DateTime('UTC')} AS moment, {days:UInt16} AS length_days
SELECT
    community_id,
    length(gaps_s) AS gaps,
    if(gaps > 0, arrayAvg(gaps_s), NULL) AS mean_gap_s,
    if(gaps > 1, arrayReduce('stddevPopStable', gaps_s), NULL) AS deviation_s,
    (deviation_s - mean_gap_s) / nullIf(deviation_s + mean_gap_s, 0) AS burstiness,
    moment AS as_of,
    length_days AS days
FROM
(
    SELECT
        community_id,
        arraySort(groupArray(toUnixTimestamp64Milli(event_time))) AS times_ms,
        arrayMap((b, a) -> (b - a) / 1000, arrayPopFront(times_ms), arrayPopBack(times_ms)) AS gaps_s
    FROM {facts}
    WHERE actor_kind IN {counted} AND type IN {engaged}
        AND minute >= toStartOfMinute(moment) - 86400 * length_days AND minute <= moment
        AND event_time > moment - 86400 * length_days AND event_time <= moment
    GROUP BY community_id
);
