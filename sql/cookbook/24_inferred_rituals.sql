-- title: When do members come together, whether anybody declared it or not?
-- One row a month and occasion: held of so many dates, with how many are usually there, how many the rest of the week would let
-- expect, and how likely that is to be chance.
SELECT month, ritual, every, held, dates, round(attendance, 1) AS attendance, round(expected, 2) AS expected, chance < 0.001 AS sure
FROM inferred_rituals
WHERE community_id = 'reading-circle'
ORDER BY month, ritual;
