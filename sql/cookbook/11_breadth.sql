-- title: Is the community one crowd, or many kinds of members?
-- So many equally large segments of role, stage and platform would be as diverse; modal_share is the part of the largest one.
SELECT members, segments, round(breadth, 2) AS breadth, round(modal_share, 2) AS modal_share
FROM breadth_at(at = '2026-03-01 23:59:59', days = 28)
WHERE community_id = 'reading-circle';
