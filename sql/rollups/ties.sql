-- title: ties of facts
-- One row a bucket, kind, member, other member and subject. A reply and a reaction name an event: event_keys tells in which
-- minutes it was stored, whenever that was, and the facts of those minutes tell who wrote it. What is not found keeps the
-- event's id as its subject, and is recomputed when the event comes.
WITH
    (
        SELECT (groupArray(cityHash64(community_id, platform, account_id)), groupArray(member_id))
        FROM {store}.linked_accounts FINAL
        WHERE {communities}
    ) AS people,
    (
        SELECT (groupArray(cityHash64(community_id, member_id)), groupArray(if(hidden, 'gone', actor_kind)))
        FROM {store}.member_standing FINAL
        WHERE {communities}
    ) AS standings,
    (
        -- Old versions of events name too much, which does no harm. A scalar is read once, however often it is used.
        SELECT groupUniqArray((community_id, named_id, xxh3(concat(community_id, '\0', named_id))))
        FROM
        (
            SELECT community_id, if(type = 'reaction', target_id, reply_to) AS named_id
            FROM {store}.events
            WHERE {where} AND ((type = 'message' AND reply_to != '') OR type = 'reaction')
        )
    ) AS all_named,
    named AS
    (
        SELECT each.1 AS community_id, each.2 AS named_id, each.3 AS named_key
        FROM (SELECT arrayJoin(all_named) AS each)
    ),
    places AS
    (
        SELECT named.community_id AS community_id, known.minute AS minute, named.named_id AS event_id
        FROM {store}.event_keys AS known INNER JOIN named ON known.event_key = named.named_key
        WHERE known.event_key IN (SELECT named_key FROM named)
    ),
    targets AS
    (
        SELECT
            event_key AS named_key,
            member_id AS target_member,
            actor_kind AS target_kind,
            event_time AS target_at,
            type = 'message' AND reply_to = '' AS target_starts
        FROM {facts_at_places}
    ),
    acts AS
    (
        SELECT
            community_id,
            {bucket} AS start,
            event_time,
            member_id,
            actor_kind,
            platform,
            if(type = 'reaction' AND action = 'remove', -1, 1) AS counts,
            toDateTime64(0, 3, 'UTC') AS never,
            arrayJoin(arrayConcat(
                if(type = 'message' AND reply_to = '', [('start', '', event_id, event_time)], []),
                if(type = 'message' AND reply_to != '', [('reply', reply_to, '', never)], []),
                if(type = 'reaction', [('reaction', target_id, '', never)], []),
                if(type = 'check_in', [('attended', '', ritual, never)], []),
                arrayMap(
                    other -> ('mention', '', other, never),
                    arrayDistinct(arrayMap(
                        account -> transform(cityHash64(community_id, platform, account), people.1, people.2, account),
                        mentions
                    ))
                )
            )) AS act,
            act.1 AS what,
            act.2 AS named_id,
            if(named_id = '', 0, xxh3(concat(community_id, '\0', named_id))) AS named_key,
            act.3 AS object,
            act.4 AS object_at
        FROM {facts}
        WHERE type IN ('message', 'reaction') OR (type = 'check_in' AND ritual != '')
    )
SELECT
    community_id,
    start,
    what AS kind,
    member_id,
    actor_kind,
    if(what = 'mention', object, targets.target_member) AS other_id,
    if(
        what = 'mention',
        transform(cityHash64(community_id, object), standings.1, standings.2, ''),
        targets.target_kind
    ) AS other_kind,
    multiIf(
        what IN ('start', 'attended'), object,
        what = 'mention', '',
        other_id = '' OR (what = 'reply' AND targets.target_starts), named_id,
        ''
    ) AS subject_id,
    if(what = 'reply' AND targets.target_starts, targets.target_at, object_at) AS subject_at,
    sum(counts) AS events,
    min(event_time) AS first_at,
    max(event_time) AS last_at
FROM acts LEFT JOIN targets ON acts.named_key = targets.named_key
WHERE other_id != member_id AND other_kind != 'gone'
GROUP BY ALL
