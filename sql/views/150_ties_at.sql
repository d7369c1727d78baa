-- title: ties between members as they were at a moment: ties_at(at = '2026-01-31 12:00:00')
CREATE OR REPLACE VIEW {db}.ties_at AS
SELECT
    community_id,
    tie.1 AS member_id,
    tie.2 AS other_id,
    tie.3 AS replies,
    tie.4 AS mentions,
    tie.5 AS reactions,
    occurrences,
    tie.6 AS first_at,
    tie.7 AS last_at,
    tie.8 AS idle_months,
    tie.9 AS strength,
    as_of
FROM {db}.tie_pairs_at(at = {at:DateTime('UTC')})
ARRAY JOIN
    [
        (one_id, two_id, forth_replies, forth_mentions, forth_reactions, forth_first_at, forth_last_at, forth_idle_months, forth_strength),
        (two_id, one_id, back_replies, back_mentions, back_reactions, back_first_at, back_last_at, back_idle_months, back_strength)
    ] AS tie
WHERE tie.9 > 0;
