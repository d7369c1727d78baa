-- title: Which accounts are one person, and whom did moderation count out?
-- Nothing is overwritten: an unlink or another flag brings every number back as it was, but nobody who was erased.
SELECT member_id, what, said
FROM
(
    SELECT member_id, 'account' AS what, concat(platform, ': ', account_id) AS said
    FROM linked_accounts
    WHERE community_id = 'reading-circle'
    UNION ALL
    SELECT member_id, 'counts as' AS what, actor_kind AS said
    FROM member_standing
    WHERE community_id = 'reading-circle'
)
ORDER BY what, member_id, said;
