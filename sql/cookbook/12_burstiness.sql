-- title: Does the talk come in bursts, or evenly?
-- -1 is as regular as a clock, 0 as random as rain, towards 1 comes in bursts.
SELECT gaps, round(mean_gap_s / 3600, 1) AS mean_gap_hours, round(burstiness, 2) AS burstiness
FROM burstiness_at(at = '2026-03-01 23:59:59', days = 28)
WHERE community_id = 'reading-circle';
