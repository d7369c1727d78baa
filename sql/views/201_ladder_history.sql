-- title: where on the ladder each member was, and since when: one row a stay on a level, with the evidence for the step to it
-- plan: inline
-- Up at once: on the day on which the days within the level's window suffice. Down on a schedule: on the first Monday on which the
-- level has not been met for the days of grace, to the highest level that was met within them. So the level of a day is the
-- highest one met between that day and the last Monday less the grace: nothing else is remembered, and what was true on any day
-- follows from the facts up to that day alone.
-- Evidence: what was counted on the day of the step, in the window of the level that was reached, or of the lowest that was lost.
-- Rank 0 is the level 'away': nothing for so long that not even the lowest level is met.
-- Days are numbers here (since Thursday 1970-01-01), because spans of them are added and compared in arrays.
CREATE OR REPLACE VIEW {db}.ladder_history AS
WITH
    {clocks} AS clocks,
    toInt32(transform(community_id, clocks.1, clocks.2, clocks.2[1])) AS local_today,
    -- What each level asks for: (how many, within how many days, a bit that stands for it), by what is counted: days with any
    -- event, days with an engaged one, contributions, events that build. A level that asks for nothing asks for presence.
    -- all_bits: those of each level and all below it; the last can never be had.
    -- From the tables: the views of settings list all communities, which takes longer than all the rest.
    ladders AS
    (
        SELECT
            community_id AS ladder_of,
            arraySort(step -> step.rank, groupArray(CAST(
                (rank, level, window_days, grace_days, min_active_days, min_contributions, min_hosted_or_cocreated),
                'Tuple(rank Int32, level String, days Int32, grace Int32, active Int32, contributed Int32, built Int32)'
            ))) AS steps,
            arrayMax(step -> greatest(step.contributed, step.built), steps) AS most,
            arrayMap(counted -> arrayFilter(demand -> demand.1 > 0, arrayMap(
                step -> (
                    [toInt32(greatest(step.active, step.contributed, step.built) = 0), step.active, step.contributed, step.built][counted],
                    step.days,
                    bitShiftLeft(toInt64(1), 4 * (step.rank - 1) + counted - 1)
                ),
                steps
            )), [1, 2, 3, 4]) AS demands,
            arrayPushBack(arrayMap(
                step -> arraySum(demand -> if(demand.3 < bitShiftLeft(toInt64(1), 4 * step.rank), demand.3, 0), arrayFlatten(demands)),
                steps
            ), -1) AS all_bits
        FROM {store}.ladder_levels FINAL
        GROUP BY community_id
    ),
    members AS
    (
        SELECT
            community_id,
            member_id,
            arraySort(groupUniqArray(toInt32(day))) AS present,
            arraySort(groupUniqArrayIf(toInt32(day), engaged)) AS active,
            groupArrayIf((toInt32(day), toUInt32(events)), contributing) AS contributed,
            groupArrayIf((toInt32(day), toUInt32(events)), family IN {building}) AS built
        FROM {db}.member_activity
        GROUP BY community_id, member_id
    ),
    -- Who hosts, as sql/facts.sql has it: from the tables, for whoever asks for a ladder hosts seldom.
    (
        SELECT (groupArray(community_id), groupArray(cityHash64(community_id, ritual)), groupArray(host_id))
        FROM {store}.declared_rituals FINAL
    ) AS rituals,
    (
        SELECT groupArray(cityHash64(community_id, account_id, member_id))
        FROM {store}.linked_accounts FINAL
        WHERE account_id IN (SELECT host_id FROM {store}.declared_rituals FINAL)
    ) AS accounts_of_hosts,
    {zones} AS zones,
    -- Hosting counts once a ritual and day: the host checked in to it.
    hosting AS
    (
        SELECT community_id, member_id, groupArray((day, toUInt32(1))) AS hosted
        FROM
        (
            SELECT DISTINCT
                attended.community_id AS community_id,
                attended.member_id AS member_id,
                attended.ref AS ritual,
                toInt32(toDate(attended.moment + clocks.offset_s)) AS day
            FROM
            (
                SELECT
                    s.community_id AS community_id,
                    -- Where midnight is within an hour of UTC, one hour may be of two days.
                    toDateTime(arrayJoin([s.first_at, s.last_at])) AS moment,
                    s.ref AS ref,
                    s.member_id AS member_id,
                    transform(s.community_id, zones.1, zones.2, zones.2[1]) AS zone,
                    transform(
                        cityHash64(transform(s.community_id, rituals.1, rituals.1, ''), s.ref), rituals.2, rituals.3, ''
                    ) AS host
                FROM {store}.sign_hour AS s FINAL
                WHERE s.kind = 'ritual' AND s.actor_kind IN {counted} AND notEmpty(rituals.1) AND host != '' AND (
                    s.member_id = host
                    OR transform(cityHash64(s.community_id, host, s.member_id), accounts_of_hosts, accounts_of_hosts, toUInt64(0)) != 0
                )
            ) AS attended
            ASOF LEFT JOIN (SELECT zone, from_utc, offset_s FROM {store}.zone_offsets FINAL) AS clocks
                ON clocks.zone = attended.zone AND clocks.from_utc <= attended.moment
        )
        GROUP BY community_id, member_id
    ),
    -- The days that are counted, by what is counted: a day is there once an event, but not more often than any level asks for.
    counted AS
    (
        SELECT
            * EXCEPT (hosted, built, ladder_of),
            arrayConcat(built, hosted) AS built,
            max(greatest(present[-1], local_today)) OVER (PARTITION BY community_id) AS today,
            arrayZip([
                present,
                active,
                arraySort(arrayFlatten(arrayMap(c -> arrayResize([c.1], least(c.2, most), c.1), contributed))),
                arraySort(arrayFlatten(arrayMap(b -> arrayResize([b.1], least(b.2, most), b.1), built)))
            ], demands) AS asked
        FROM members
        INNER JOIN ladders
            ON ladder_of = if(community_id IN (SELECT community_id FROM {store}.ladder_levels FINAL), community_id, '')
        LEFT JOIN hosting USING (community_id, member_id)
    ),
    -- From the n-th on, each event (or day) meets "n within w days" until w - 1 days after the one n - 1 places before it. These
    -- spans ascend; those that touch are put together. The bit of the demand is set on the first day, and unset after the last.
    met AS
    (
        SELECT
            * EXCEPT (demands, asked),
            arraySort(arrayFlatten(arrayMap(of -> arrayMap(demand -> arrayMap(
                chain -> [(chain[1].1, demand.3), (chain[-1].2 + 1, -demand.3)],
                arraySplit(
                    (span, before) -> span.1 > before.2 + 1,
                    arrayFilter(span -> span.2 >= span.1, arrayMap(
                        (nth, first) -> (nth, first + demand.2 - 1),
                        arraySlice(of.1, demand.1),
                        arraySlice(of.1, 1, greatest(0, toInt32(length(of.1)) - demand.1 + 1))
                    )) AS spans,
                    arrayPopBack(arrayPushFront(spans, (0, 0)))
                )
            ), of.2), asked))) AS switches
        FROM counted
    ),
    -- The highest level that is met together with all below it, from one change to the next.
    qualified AS
    (
        SELECT
            * EXCEPT (switches, all_bits),
            arrayZip(
                switches.1,
                arrayMap(bits -> arrayFirstIndex(needed -> bitAnd(bits, needed) != needed, all_bits) - 1, arrayCumSum(switches.2))
            ) AS by_switch,
            arrayFilter((at, next) -> at.1 != next.1, by_switch, arrayPopFront(arrayPushBack(by_switch, (0, 0)))) AS by_day,
            arrayFilter((at, before) -> at.2 != before.2, by_day, arrayPopBack(arrayPushFront(by_day, (0, 0)))) AS changes
        FROM met
    ),
    -- A level that was met to a day is held to the Sunday of the week in which its grace ends. Each level is a bit again.
    held AS
    (
        SELECT
            * EXCEPT (by_switch, by_day, changes),
            arraySort(arrayFlatten(arrayMap(
                step -> arrayMap(
                    chain -> [(chain[1].1, exp2(step.rank)), (chain[-1].2 + 1, -exp2(step.rank))],
                    arraySplit(
                        (span, before) -> span.1 > before.2 + 1,
                        arrayMap(
                            met -> (met.1, met.2 + step.grace - (met.2 + step.grace + 3) % 7 + 6),
                            arrayFilter(met -> met.3 >= step.rank, spans)
                        ) AS kept,
                        arrayPopBack(arrayPushFront(kept, (0, 0)))
                    )
                ),
                steps
            ))) AS switches
        FROM
        (
            SELECT
                *,
                arrayMap(
                    (at, next) -> (at.1, next.1 - 1, at.2), changes, arrayPopFront(arrayPushBack(changes, (0, 0)))
                ) AS spans
            FROM qualified
        )
    ),
    transitions AS
    (
        SELECT
            * EXCEPT (spans, switches),
            arrayZip(
                switches.1,
                arrayMap(bits -> if(bits < 1, 0, toInt32(log2(bits))), arrayCumSum(switches.2))
            ) AS by_switch,
            arrayFilter(
                (at, next) -> at.1 != next.1 AND at.1 <= today, by_switch, arrayPopFront(arrayPushBack(by_switch, (0, 0)))
            ) AS by_day,
            arrayFilter(
                turn -> turn.2 != turn.3, arrayZip(by_day.1, arrayPopBack(arrayPushFront(by_day.2, -1)), by_day.2)
            ) AS transitions
        FROM held
    )
SELECT
    community_id,
    member_id,
    level,
    toUInt8(rank) AS rank,
    toDate(day) AS since,
    if(next = 0, NULL, toDate(next - 1)) AS until,
    toUInt32(if(next = 0, today + 1, next) - day) AS days,
    from_level,
    multiIf(before < 0, 'in', rank = 0, 'out', before = 0, 'back', rank > before, 'up', 'down') AS direction,
    judged.level AS judged_level,
    toUInt16(judged.days) AS window_days,
    toUInt16(arrayCount(d -> d BETWEEN first_day AND day, present)) AS present_days,
    toUInt16(arrayCount(d -> d BETWEEN first_day AND day, active)) AS active_days,
    toUInt32(arraySum(c -> if(c.1 BETWEEN first_day AND day, c.2, 0), contributed)) AS contributions,
    toUInt32(arraySum(b -> if(b.1 BETWEEN first_day AND day, b.2, 0), built)) AS hosted_or_cocreated
FROM
(
    SELECT
        *, day, before, rank, next,
        steps[if(rank > before, rank, rank + 1)] AS judged,
        day - judged.days + 1 AS first_day,
        if(rank = 0, 'away', steps[rank].level) AS level,
        multiIf(before < 0, '', before = 0, 'away', steps[before].level) AS from_level
    FROM transitions
    ARRAY JOIN
        transitions.1 AS day,
        transitions.2 AS before,
        transitions.3 AS rank,
        arrayPopFront(arrayPushBack(transitions.1, 0)) AS next
);
