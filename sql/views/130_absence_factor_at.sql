-- title: contributor absence factor at a moment: absence_factor_at(at = '2026-01-31 12:00:00', days = 90)
-- The smallest number of members whose contributions (messages, reviews, hosting) are at least half of all, over the given number of days,
-- the last of which contains the moment: so many would have to leave for half of it to go. largest_share: of the busiest member.
CREATE OR REPLACE VIEW {db}.absence_factor_at AS
WITH
    {at:DateTime('UTC')} AS moment,
    {clocks_at} AS clocks,
    transform(community_id, clocks.1, clocks.2, clocks.2[1]) AS today,
    {days:UInt16} AS length_days
SELECT
    community_id,
    arrayFirstIndex(so_far -> 2 * so_far >= total, arrayCumSum(ordered)) AS absence_factor,
    length(ordered) AS contributors,
    total AS contributions,
    ordered[1] / total AS largest_share,
    moment AS as_of,
    length_days AS days
FROM
(
    SELECT
        community_id,
        arrayReverseSort(groupArray(contributions_of_one)) AS ordered,
        sum(contributions_of_one) AS total
    FROM
    (
        SELECT community_id, sum(events) AS contributions_of_one
        FROM {db}.member_activity
        WHERE contributing AND day > today - length_days AND day <= today
            -- No local date is further than a day from the date of UTC: this prunes the key, the line above decides.
            AND day BETWEEN toDate(moment) - length_days AND toDate(moment) + 1
        GROUP BY community_id, member_id
    )
    GROUP BY community_id
);
