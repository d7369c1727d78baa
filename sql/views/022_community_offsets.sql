-- title: offsets from UTC of each community, from one change of its clocks to the next
-- Local time of a moment: `ASOF JOIN {db}.community_offsets AS o ON o.community_id = e.community_id AND o.from_utc <= e.event_time`,
-- then `event_time + offset_s`.
CREATE OR REPLACE VIEW {db}.community_offsets AS
SELECT places.community_id AS community_id, offsets.from_utc AS from_utc, offsets.offset_s AS offset_s
FROM {db}.communities AS places
INNER JOIN (SELECT zone, from_utc, offset_s FROM {store}.zone_offsets FINAL) AS offsets ON offsets.zone = places.zone;
