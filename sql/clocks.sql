-- title: the local date at a moment: what {clocks} and {clocks_at} stand for in views, which name it clocks
-- transform(community_id, clocks.1, clocks.2, clocks.2[1]): communities that have settings, and first the default, for all others.
-- As {db}.community_today, which lists every community, and takes longer for it than many a view for all the rest.
(
    WITH
        -- Nothing has come: the second day, for there is no date before the first, which zones in the west would be in.
        ifNull({moment}, toDateTime(86400, 'UTC')) AS moment,
        {zones} AS zones,
        (
            SELECT (groupArray(zone), groupArray(latest_s))
            FROM
            (
                SELECT zone, argMax(offset_s, from_utc) AS latest_s
                FROM {store}.zone_offsets FINAL
                WHERE from_utc <= moment
                GROUP BY zone
            )
        ) AS offsets
    SELECT (zones.1, arrayMap(zone -> toDate(moment + transform(zone, offsets.1, offsets.2, 0)), zones.2))
)
