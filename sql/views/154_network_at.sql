-- title: how closely a community is tied, over the 90 days that end at a moment: network_at(at = '2026-01-31 12:00:00')
-- members: counted members who took part in these days, or are on an end of a tie that did something in them.
CREATE OR REPLACE VIEW {db}.network_at AS
WITH
    {at:DateTime('UTC')} AS moment,
    toStartOfMinute(moment) + 60 AS until,
    until - INTERVAL 90 DAY AS since
SELECT
    community_id,
    count() AS members,
    intDiv(sum(people.ties), 2) AS pairs,
    if(members < 2, NULL, pairs / (members * (members - 1) / 2)) AS density,
    if(sum(people.acted) = 0, NULL, sum(people.mutual) / sum(people.acted)) AS reciprocity,
    arrayCumSum(arrayReverseSort(groupArray(people.reach))) AS strongest,
    -- Sums of floats differ in their last digits with the order they were added in.
    if(strongest[-1] = 0, 0, arrayFirstIndex(so_far -> so_far >= strongest[-1] / 2 - 1e-9, strongest)) AS absence_factor,
    any(moment) AS as_of
FROM
(
    SELECT
        community_id,
        member_id,
        sum(side.ties) AS ties,
        sum(side.acted) AS acted,
        sum(side.mutual) AS mutual,
        sum(side.reach) AS reach
    FROM
    (
        SELECT
            community_id,
            end.1 AS member_id,
            count() AS ties,
            sum(end.2) AS acted,
            countIf(pair.gave AND pair.got) AS mutual,
            sum(pair.reach) AS reach
        FROM
        (
            SELECT
                community_id,
                one_id,
                two_id,
                forth_strength > 0 AND forth_last_at >= since AS forth,
                back_strength > 0 AND back_last_at >= since AS back,
                forth AND forth_replies + forth_mentions + forth_reactions > 0 AS gave,
                back AND back_replies + back_mentions + back_reactions > 0 AS got,
                if(forth, forth_strength, 0) + if(back, back_strength, 0) AS reach
            FROM {db}.tie_pairs_at(at = {at:DateTime('UTC')})
            WHERE forth OR back
        ) AS pair
        ARRAY JOIN [(one_id, gave), (two_id, got)] AS end
        GROUP BY community_id, member_id
        UNION ALL
        SELECT community_id, member_id, 0 AS ties, 0 AS acted, 0 AS mutual, 0. AS reach
        FROM {db}.member_activity
        WHERE engaged AND last_at >= since AND first_at < until
            -- No local date is further than a day from the date of UTC: this prunes the key, the line above decides.
            AND day BETWEEN toDate(since) - 1 AND toDate(moment) + 1
        GROUP BY community_id, member_id
    ) AS side
    GROUP BY community_id, member_id
) AS people
GROUP BY community_id;
