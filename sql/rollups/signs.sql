-- title: signs of belonging in facts
-- One row a bucket, kind, reference, member and kind of actor. Terms are looked for in the words of a message: lower case, one
-- space between words, and letters of scripts without spaces (Han, Kana, Thai) apart from others. A term of such a script is
-- found anywhere, any other as whole words.
WITH
    x -> concat(' ', trimBoth(replaceRegexpAll(
        replaceRegexpAll(lowerUTF8(x), '[\\p{Han}\\p{Hiragana}\\p{Katakana}\\p{Thai}]+', ' \\0 '),
        '[^\\p{L}\\p{N}]+', ' '
    )), ' ') AS words,
    [' help ', ' stuck ', ' struggling ', ' worried ', ' anxious ', ' lonely ', ' sad ', ' tired ', ' exhausted ',
        '求助', '帮帮', '救命', '难过', '焦虑', '崩溃', '好累', '压力', '孤独', '撑不住'] AS of_support,
    [' how to ', ' how do ', ' how can ', ' how does ', ' anyone ',
        '怎么', '如何', '请问', '有没有'] AS of_question,
    [' thanks ', ' thank you ', ' thx ', '谢谢', '感谢', '多谢', '谢了'] AS of_thanks,
    -- Conversations whose messages may count as taking part in a ritual: the views tell, by the minute, whether it was on.
    (
        SELECT (groupArray(community_id), groupArrayIf(cityHash64(community_id, conversation_id), conversation_id != ''))
        FROM {store}.declared_rituals FINAL
    ) AS meetings,
    lexicons AS
    (
        SELECT
            community_id AS lexicon_of,
            groupArray((value, terms)) AS lexicon,
            arrayDistinct(arrayMap(term -> splitByChar(' ', trimBoth(term))[1], arrayFlatten(groupArray(terms)))) AS firsts
        FROM
        (
            SELECT
                community_id,
                value,
                groupArray(if(
                    match(term, '[\\p{Han}\\p{Hiragana}\\p{Katakana}\\p{Thai}]'), trimBoth(words(term)), words(term)
                )) AS terms
            FROM {store}.value_terms FINAL
            WHERE match(term, '[\\p{L}\\p{N}]')
            GROUP BY community_id, value
        )
        GROUP BY community_id
    ),
    told AS
    (
        SELECT
            community_id, {bucket} AS start, member_id, actor_kind, event_time, type, event_id, ritual, place,
            type = 'message' AND reply_to = '' AS begins,
            multiSearchAny(text, ['? ', '?\n', '？']) OR endsWith(text, '?') AS asks,
            if(type = 'message', lowerUTF8(text), '') AS lowered,
            -- An invitation may state the role of whom it invites.
            if(action = 'invite', '', role) AS own_role,
            if(action = 'invite', '', stage) AS own_stage,
            multiSearchAny(lowered, [
                'help', 'stuck', 'struggling', 'worried', 'anxious', 'lonely', 'sad', 'tired', 'exhausted', 'thank', 'thx',
                'how', 'anyone', '求助', '帮帮', '救命', '难过', '焦虑', '崩溃', '好累', '压力', '孤独', '撑不住', '怎么',
                '如何', '请问', '有没有', '感谢', '多谢', '谢谢', '谢了'
            ]) AS built_in,
            if(order_kind = 'group_buy' AND order_status IN ('paid', 'fulfilled'), order_id, '') AS bought_together,
            if(
                type = 'review' OR order_status IN ('placed', 'deposit_paid', 'paid', 'fulfilled'),
                arrayDistinct(arrayFilter(p -> p != '', arrayPushBack(item_product_id, product_id))),
                []
            ) AS products,
            if(
                community_id IN (SELECT community_id FROM {store}.value_terms FINAL), community_id, ''
            ) AS lexicon_of,
            if(
                type = 'message' AND conversation_id != '' AND transform(
                    cityHash64(transform(community_id, meetings.1, meetings.1, ''), conversation_id),
                    meetings.2, meetings.2, toUInt64(0)
                ) != 0,
                concat(leftPad(toString(toMinute(event_time)), 2, '0'), ' ', conversation_id), ''
            ) AS met
        FROM {facts}
        WHERE type IN ('message', 'check_in', 'order', 'review', 'membership')
    )
SELECT
    community_id,
    start,
    sign.1 AS kind,
    sign.2 AS ref,
    member_id,
    actor_kind,
    count() AS events,
    min(event_time) AS first_at,
    max(event_time) AS last_at
FROM
(
    SELECT
        *,
        -- Most messages hold the first word of no term, and finding their words costs more than all the rest.
        arrayMap(
            t -> words(t),
            if(built_in OR (notEmpty(firsts) AND multiSearchAny(lowered, firsts)), [lowered], [])
        )[1] AS heard
    FROM told
    LEFT JOIN lexicons ON lexicons.lexicon_of = told.lexicon_of
)
ARRAY JOIN arrayConcat(
    arrayMap(l -> ('value', l.1), arrayFilter(l -> multiSearchAny(heard, l.2), lexicon)),
    if(begins AND multiSearchAny(heard, of_support), [('support', event_id)], []),
    if(begins AND (asks OR multiSearchAny(heard, of_question)), [('question', event_id)], []),
    if(multiSearchAny(heard, of_thanks), [('thanks', event_id)], []),
    if(ritual != '', [('ritual', ritual)], []),
    if(met != '', [('conversation', met)], []),
    if(place != '', [('place', place)], []),
    arrayMap(product -> ('product', product), products),
    if(bought_together != '', [('group_buy', bought_together)], []),
    if(own_role != '', [('role', own_role)], []),
    if(own_stage != '', [('stage', own_stage)], [])
) AS sign
GROUP BY ALL
