-- title: the local date of every community at a moment: community_today_at(at = '2026-01-31 12:00:00')
CREATE OR REPLACE VIEW {db}.community_today_at AS
SELECT places.community_id AS community_id, toDate({at:DateTime('UTC')} + clocks.offset_s) AS today
FROM {db}.communities AS places
LEFT JOIN
(
    SELECT zone, argMax(o.offset_s, from_utc) AS offset_s
    FROM {store}.zone_offsets AS o FINAL
    WHERE from_utc <= {at:DateTime('UTC')}
    GROUP BY zone
) AS clocks ON clocks.zone = places.zone;
