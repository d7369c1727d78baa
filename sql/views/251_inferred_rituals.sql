-- title: recurring occasions that nobody declared: hours in which members come together again and again
-- plan: inline
-- One row a community, calendar month and ritual: what the months up to its end (2 for daily, 6 for weekly, 12 for monthly
-- rituals) let infer. An hour of the day, of the week or of the month is a ritual when attendance reached
-- max(3, 3 x expected) on at least half of its dates, on 4 at the least, and
-- chance = hours looked at x exp(-dates x D(held / dates || expected / threshold)) is at most 0.01.
-- expected is what the community's own profile gives the hour: for daily ones the mean of the hours 2 and 3 before and after,
-- for weekly ones the same hour of the other days, or more where the whole weekday is busier (hour and weekday as if they
-- were independent, both without the slot itself), for monthly ones the same hour of all other days (by date) or of the same
-- weekday in other weeks (by weekday).
-- By Markov's inequality attendance reaches the threshold by chance on at most expected / threshold of the dates, whatever its
-- distribution; D, the relative entropy, bounds the tail of the binomial (Chernoff).
-- Neighbouring hours of one day are one ritual, named by the best attended hour.
CREATE OR REPLACE VIEW {db}.inferred_rituals AS
WITH
    {clocks} AS clocks,
    ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'] AS day_names,
    attended AS
    (
        SELECT
            community_id, day, hour, attendees,
            min(day) OVER (PARTITION BY community_id) AS earliest,
            greatest(
                max(day) OVER (PARTITION BY community_id), transform(community_id, clocks.1, clocks.2, clocks.2[1])
            ) AS latest
        FROM {db}.attendance_hour
    ),
    -- Every hour with somebody in it, once for each kind of slot and each month so far whose window it is in.
    slots AS
    (
        SELECT
            community_id,
            arrayJoin([
                ('day', 0, 2),
                ('week', toDayOfWeek(day), 6),
                ('month', toDayOfMonth(day), 12),
                ('nth', 10 * intDiv(toDayOfMonth(day) + 6, 7) + toDayOfWeek(day), 12)
            ]) AS kind,
            kind.1 AS cadence,
            kind.2 AS slot,
            addMonths(toStartOfMonth(day), arrayJoin(range(least(kind.3, dateDiff('month', day, latest) + 1)))) AS month,
            hour,
            toFloat64(sum(attendees)) AS total,
            groupArrayIf(attendees, attendees >= 3) AS gatherings,
            any(earliest) AS first_day,
            any(latest) AS last_day
        FROM attended
        GROUP BY community_id, kind, month, hour
    ),
    -- What the community's own profile gives each slot, over all dates of the window. Peers: hours that a slot is held against.
    profiles AS
    (
        SELECT
            community_id, month, cadence, slot, hour, total, gatherings,
            sum(total) OVER (PARTITION BY community_id, month, cadence, if(cadence = 'nth', slot % 10, 0), hour) - total AS peers,
            sum(total) OVER (PARTITION BY community_id, month, cadence, slot) - total AS same_slot,
            sum(total) OVER (PARTITION BY community_id, month, cadence) - total AS others,
            groupArrayIf((hour, total), cadence = 'day') OVER (PARTITION BY community_id, month, cadence) AS of_hours,
            greatest(first_day, addMonths(month, 1 - transform(cadence, ['day', 'week'], [2, 6], 12))) AS since,
            least(last_day + 1, addMonths(month, 1)) AS until
        FROM slots
    ),
    -- Few steps, for each takes longer to plan than to run; but not one, for expressions named by expressions do too.
    dated AS
    (
        SELECT
            *,
            until - since AS all_days,
            since + (slot % 10 + 7 - toDayOfWeek(since)) % 7 AS first_weekday,
            intDiv(until - first_weekday + 6, 7) AS weekdays,
            multiIf(
                cadence = 'day', all_days,
                cadence = 'week', weekdays,
                cadence = 'month',
                dateDiff('month', since, until) + (toDayOfMonth(until) > slot) - (toDayOfMonth(since) > slot),
                arrayCount(i -> intDiv(toDayOfMonth(first_weekday + 7 * i) + 6, 7) = intDiv(slot, 10), range(toUInt32(weekdays)))
            ) AS dates
        FROM profiles
        WHERE length(gatherings) >= 4 AND NOT (cadence = 'month' AND slot > 28)
    ),
    chances AS
    (
        SELECT
            community_id, month, cadence, slot, hour, total, dates, expected,
            greatest(3, round(3 * expected, 6)) AS threshold,
            arrayCount(x -> x >= threshold, gatherings) AS held,
            held / dates AS share,
            expected / threshold AS by_chance,
            least(1, transform(cadence, ['day', 'week', 'month'], [24, 168, 672], 840) * exp(-dates * (
                share * log(share / by_chance) + if(share = 1, 0, (1 - share) * log((1 - share) / (1 - by_chance)))
            ))) AS chance
        FROM dated
        -- Joined, it is one column; as an alias it would be written out wherever it is named.
        ARRAY JOIN [greatest(1, multiIf(
            cadence = 'day', arraySum(each -> if((each.1 + 24 - hour) % 24 IN (2, 3, 21, 22), each.2, 0), of_hours) / 4,
            cadence = 'week',
            greatest(
                peers * dates / (all_days - dates), if(same_slot * peers = 0, 0, same_slot * peers / (others - same_slot - peers))
            ),
            cadence = 'month', peers * dates / (all_days - dates),
            peers * dates / (weekdays - dates)
        )) / dates] AS expected
        WHERE held >= 4 AND share >= 0.5 AND share > by_chance
    ),
    rituals AS
    (
        SELECT
            community_id, month, cadence, slot,
            arraySort(groupArray((hour, total, dates, held, expected, threshold, chance))) AS found,
            arrayJoin(arraySplit(
                (each, before) -> each.1 != before.1 + 1, found, arrayPushFront(arrayPopBack(found), found[1])
            )) AS together,
            arraySort(each -> (-each.2, each.1), together)[1] AS best,
            together[1].1 AS from_hour,
            length(together) AS hours
        FROM chances
        WHERE chance <= 0.01
        GROUP BY community_id, month, cadence, slot
    )
SELECT
    community_id,
    month,
    concat(
        multiIf(
            cadence = 'day', 'daily',
            cadence = 'month', concat('day ', toString(slot)),
            cadence = 'week', day_names[slot],
            concat(['first', 'second', 'third', 'fourth', 'fifth'][intDiv(slot, 10)], ' ', day_names[slot % 10])
        ),
        ' ', leftPad(toString(best.1), 2, '0'), ':00'
    ) AS ritual,
    if(cadence = 'nth', 'month', cadence) AS every,
    toUInt8(multiIf(cadence = 'week', slot, cadence = 'nth', slot % 10, 0)) AS weekday,
    toUInt8(if(cadence = 'month', slot, 0)) AS month_day,
    toUInt8(if(cadence = 'nth', intDiv(slot, 10), 0)) AS week_of_month,
    toUInt8(best.1) AS at_hour,
    toUInt8(from_hour) AS from_hour,
    toUInt8(hours) AS hours,
    toUInt16(best.3) AS dates,
    toUInt16(best.4) AS held,
    best.2 / best.3 AS attendance,
    best.5 AS expected,
    best.6 AS threshold,
    best.7 AS chance
FROM rituals;
