-- title: corrections, and what follows from them
-- backend: any

-- Whoever is merged, flagged or hidden is looked for in all of history: these say which granules to read.
ALTER TABLE {store}.events
    ADD INDEX IF NOT EXISTS by_account cityHash64(community_id, member_id) TYPE bloom_filter(0.005) GRANULARITY 1;

ALTER TABLE {store}.events
    ADD INDEX IF NOT EXISTS by_mention arrayMap(name -> cityHash64(community_id, name), mentions)
    TYPE bloom_filter(0.005) GRANULARITY 1;

CREATE TABLE IF NOT EXISTS {store}.corrections
(
    community_id      LowCardinality(String)            COMMENT 'Community',
    event_id          String                            COMMENT 'Publisher''s id of the identity or moderation event',
    minute            DateTime('UTC')                   COMMENT 'Minute in which the event was stored',
    version           UInt64                            COMMENT 'Version of the event, as in events',
    event_key         UInt64                            COMMENT 'As in events',
    event_time        DateTime64(3, 'UTC')              COMMENT 'As in events: the latest correction holds',
    type              LowCardinality(String)            COMMENT 'identity or moderation; any other family when that replaced a correction',
    platform          LowCardinality(String)            COMMENT 'Platform that published the event',
    member_id         String                            COMMENT 'Account that was linked, or who moderated',
    action            LowCardinality(String)            COMMENT 'link, unlink; hide, restore, flag, erase',
    linked_platform   LowCardinality(String) DEFAULT '' COMMENT 'Platform of the linked account',
    linked_account_id String DEFAULT ''                 COMMENT 'Account that is linked to member_id',
    target_id         String DEFAULT ''                 COMMENT 'event_id that is moderated',
    target_member_id  String DEFAULT ''                 COMMENT 'Member who is moderated',
    flagged_kind      LowCardinality(String) DEFAULT '' COMMENT 'flag: the actor kind to take'
)
ENGINE = ReplacingMergeTree
ORDER BY (community_id, event_id, version, minute)
COMMENT 'Copies of identity and moderation facts, every version of each, and of what replaced them: the greatest version holds';

CREATE TABLE IF NOT EXISTS {store}.linked_accounts
(
    community_id LowCardinality(String)  COMMENT 'Community',
    platform     LowCardinality(String)  COMMENT 'Platform of the account',
    account_id   String                  COMMENT 'Account, as its platform names it',
    member_id    String                  COMMENT 'The person: the member_id of the earliest link that holds among all accounts of the person',
    version      UInt64                  COMMENT 'Warehouse clock in us, taken before the corrections were read',
    is_deleted   UInt8 DEFAULT 0         COMMENT '1 when the account is linked no more'
)
ENGINE = ReplacingMergeTree(version, is_deleted)
ORDER BY (community_id, platform, account_id)
COMMENT 'Accounts that are linked, and the person each belongs to; any other account is a member of its own. Read {db}.linked_accounts instead';

CREATE TABLE IF NOT EXISTS {store}.member_standing
(
    community_id LowCardinality(String)             COMMENT 'Community',
    member_id    String                             COMMENT 'The person',
    actor_kind   LowCardinality(String) DEFAULT ''  COMMENT 'Kind of all the person''s events; empty: as published',
    hidden       UInt8 DEFAULT 0                    COMMENT '1 when no event of the person counts',
    erased       UInt8 DEFAULT 0                    COMMENT '1 when that is for ever',
    version      UInt64                             COMMENT 'Warehouse clock in us, taken before the corrections were read',
    is_deleted   UInt8 DEFAULT 0                    COMMENT '1 when nothing is said of the person any more'
)
ENGINE = ReplacingMergeTree(version, is_deleted)
ORDER BY (community_id, member_id)
COMMENT 'What moderation says of members; nothing is said of most. Read {db}.member_standing instead';

CREATE TABLE IF NOT EXISTS {store}.hidden_events
(
    community_id LowCardinality(String)  COMMENT 'Community',
    event_id     String                  COMMENT 'Event that does not count',
    erased       UInt8 DEFAULT 0         COMMENT '1 when it was erased and cannot be restored',
    version      UInt64                  COMMENT 'Warehouse clock in us, taken before the corrections were read',
    is_deleted   UInt8 DEFAULT 0         COMMENT '1 when the event was restored'
)
ENGINE = ReplacingMergeTree(version, is_deleted)
ORDER BY (community_id, event_id)
COMMENT 'Events that are hidden or erased, whether they have arrived or not. Read {db}.hidden_events instead';
