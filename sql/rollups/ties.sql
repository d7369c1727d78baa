-- title: ties of facts
-- One row a bucket, kind, member, other member and subject. A reply and a reaction name an event, and the facts tell who wrote it.
-- What is named mostly happened shortly before: it is looked for by hash in the time just before the buckets, without FINAL, and
-- only the rest is asked for in event_keys, which tells in which minutes it was ever stored. What is not found keeps the event's
-- id as its subject, and is recomputed when the event comes.
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
    -- From when to when the buckets are, and what their events name. Old versions of events name too much, which does no harm.
    -- A scalar is read once, however often it is used.
    (
        SELECT (
            min(minute),
            max(minute),
            groupUniqArrayIf(
                xxh3(concat(community_id, '\0', if(type = 'reaction', target_id, reply_to))),
                type = 'reaction' OR (type = 'message' AND reply_to != '')
            )
        )
        FROM {store}.events
        WHERE {where}
    ) AS named,
    -- As long before the buckets as they span, an hour at the least. Buckets that are scattered have no such time.
    if(named.2 - named.1 > 86400, named.2, named.1 - greatest(3600, named.2 - named.1)) AS since,
    -- What is found there, and in which minutes it ever was. What was taken out of one of them may live in any other.
    (
        SELECT (groupArrayIf(event_key, stays), groupUniqArrayArray(minutes))
        FROM
        (
            SELECT event_key, max(is_deleted) = 0 AS stays, groupUniqArray(minute) AS minutes
            FROM {store}.events
            PREWHERE event_key IN (SELECT arrayJoin(named.3))
            WHERE minute BETWEEN since AND named.2 AND toStartOfHour(minute) BETWEEN toStartOfHour(since) AND toStartOfHour(named.2)
                AND {communities}
            GROUP BY event_key
        )
    ) AS near,
    (
        SELECT groupUniqArray(minute)
        FROM {store}.event_keys
        WHERE event_key IN (SELECT key FROM (SELECT arrayJoin(named.3) AS key) WHERE key NOT IN (SELECT arrayJoin(near.1)))
    ) AS far,
    targets AS
    (
        SELECT
            event_key AS named_key,
            transform(cityHash64(community_id, platform, member_id), people.1, people.2, member_id) AS target_member,
            transform(cityHash64(community_id, target_member), standings.1, standings.2, '') AS standing,
            if(standing = '', actor_kind, standing) AS target_kind,
            event_time AS target_at,
            starts AS target_starts
        FROM
        (
            SELECT
                event_key, community_id, platform, member_id, actor_kind, event_time, version, is_deleted,
                type = 'message' AND reply_to = '' AS starts
            -- Every version of what is named.
            FROM {store}.events
            PREWHERE event_key IN (SELECT arrayJoin(named.3))
            WHERE (toStartOfHour(minute), minute) IN
                (SELECT toStartOfHour(arrayJoin(arrayConcat(near.2, far)) AS place), place) AND {communities}
            ORDER BY version DESC
            LIMIT 1 BY event_key, minute
        )
        WHERE NOT is_deleted AND standing != 'gone' AND event_key NOT IN
            (
                SELECT xxh3(concat(community_id, '\0', event_id)) FROM {store}.hidden_events FINAL WHERE {communities}
            )
        ORDER BY version DESC
        LIMIT 1 BY event_key
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
            multiIf(
                type = 'reaction', ('reaction', target_id, ''),
                type = 'check_in', ('attended', '', toString(ritual)),
                reply_to != '', ('reply', reply_to, ''),
                ('start', '', event_id)
            ) AS did,
            arrayJoin(if(
                empty(mentions),
                [did],
                arrayPushFront(
                    arrayMap(
                        other -> ('mention', '', other),
                        arrayDistinct(arrayMap(
                            account -> transform(cityHash64(community_id, platform, account), people.1, people.2, account),
                            mentions
                        ))
                    ),
                    did
                )
            )) AS act,
            act.1 AS what,
            act.2 AS named_id,
            if(named_id = '', 0, xxh3(concat(community_id, '\0', named_id))) AS named_key,
            act.3 AS object
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
    multiIf(
        what = 'start', event_time,
        what = 'reply' AND targets.target_starts, targets.target_at,
        toDateTime64(0, 3, 'UTC')
    ) AS subject_at,
    sum(counts) AS events,
    min(event_time) AS first_at,
    max(event_time) AS last_at
FROM acts LEFT JOIN targets ON acts.named_key = targets.named_key
WHERE other_id != member_id AND other_kind != 'gone'
GROUP BY ALL
