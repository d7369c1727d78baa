-- title: what the rolling windows at {at} are made of: what {rolling} stands for in views
-- A window of n minutes is the minute that contains the moment and the n - 1 before it. Whole days and hours come from day
-- and hour buckets, the edges from minutes, so that 28 days cost little more than one. A row for each window it is in.
(
    WITH
        toStartOfMinute({at:DateTime('UTC')}) + 60 AS until,
        arrayMap(
            w -> (
                w.1 AS name,
                (until - w.2) AS since,
                if(toStartOfHour(since) = since, since, toStartOfHour(since) + 3600) AS first_hour,
                if(toStartOfDay(since) = since, since, toStartOfDay(since) + 86400) AS first_day
            ),
            [('5m', 300), ('1h', 3600), ('24h', 86400), ('7d', 604800), ('28d', 2419200)]
        ) AS windows
    SELECT community_id, window, family, platform, events, members
    FROM
    (
        SELECT
            community_id, family, platform, events, members,
            arrayFilter(w -> start >= w.2 AND (start < w.3 OR start >= toStartOfHour(until)), windows) AS matching
        FROM {store}.activity_minute FINAL
        WHERE actor_kind IN {counted} AND start < until
            AND (start >= until - 7200
                OR (start >= until - 86400 AND start < until - 82800)
                OR (start >= until - 604800 AND start < until - 601200)
                OR (start >= until - 2419200 AND start < until - 2415600))
        UNION ALL
        SELECT
            community_id, family, platform, events, members,
            arrayFilter(w -> start >= w.3 AND (start < w.4 OR start >= toStartOfDay(until)), windows) AS matching
        FROM {store}.activity_hour FINAL
        WHERE actor_kind IN {counted} AND start < toStartOfHour(until)
            AND (start >= until - 86400
                OR (start >= until - 604800 AND start < toStartOfDay(until - 604800) + 86400)
                OR (start >= until - 2419200 AND start < toStartOfDay(until - 2419200) + 86400))
        UNION ALL
        SELECT
            community_id, family, platform, events, members,
            arrayFilter(w -> start >= w.4, windows) AS matching
        FROM {store}.activity_day FINAL
        WHERE actor_kind IN {counted} AND start < toStartOfDay(until) AND start >= until - 2419200
    )
    ARRAY JOIN arrayMap(w -> w.1, matching) AS window
)
