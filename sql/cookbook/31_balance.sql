-- title: Who gives more answers than they receive?
-- balance is 1 for a member who only gives and -1 for one who only receives.
SELECT member_id, given, received, round(balance, 2) AS balance
FROM give_and_receive
WHERE community_id = 'reading-circle' AND month = '2026-02-01'
ORDER BY balance DESC, member_id;
