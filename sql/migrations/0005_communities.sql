-- title: settings of communities
-- backend: any
-- Written whole from the settings file by `streams communities apply`. Rows of community_id '' are the defaults: a part
-- of the settings (zone, rituals, values, ladder, streaks, holidays) that a community has no row of is taken from there.

CREATE TABLE IF NOT EXISTS {store}.communities
(
    community_id LowCardinality(String)  COMMENT 'Community; empty: the defaults',
    name         String                  COMMENT 'What people call it; empty when not stated',
    zone         LowCardinality(String)  COMMENT 'IANA zone its days and weeks are told in; empty: the default, else UTC',
    since        Nullable(Date)          COMMENT 'First local day of its life; NULL when not stated',
    version      UInt64                  COMMENT 'Warehouse clock in us when the settings were applied; 0: built in',
    is_deleted   UInt8 DEFAULT 0         COMMENT '1 when the settings no longer have it'
)
ENGINE = ReplacingMergeTree(version, is_deleted)
ORDER BY community_id
COMMENT 'Communities that have settings. Read {db}.communities instead';

CREATE TABLE IF NOT EXISTS {store}.zone_offsets
(
    zone       LowCardinality(String)  COMMENT 'IANA zone',
    from_utc   DateTime('UTC')         COMMENT 'From this moment on',
    offset_s   Int32                   COMMENT 'Seconds to add to UTC for the local time, until the next row of the zone',
    version    UInt64                  COMMENT 'Warehouse clock in us when the settings were applied; 0: built in',
    is_deleted UInt8 DEFAULT 0         COMMENT '1 when no settings name the zone any more, or its history was corrected'
)
ENGINE = ReplacingMergeTree(version, is_deleted)
ORDER BY (zone, from_utc)
COMMENT 'Offsets from UTC of every zone that settings name, 1970 to 2106. Read {db}.community_offsets instead';

CREATE TABLE IF NOT EXISTS {store}.declared_rituals
(
    community_id     LowCardinality(String)              COMMENT 'Community; empty: the defaults',
    ritual           String                              COMMENT 'Name of the ritual, as check-ins carry it',
    weekday          UInt8                               COMMENT '1 Monday to 7 Sunday of a weekly ritual, one row each; 0 otherwise',
    month_day        UInt8                               COMMENT '1 to 28: day of the month of a monthly ritual; 0 otherwise',
    title            String                              COMMENT 'What people call it',
    every            Enum8('day' = 1, 'week' = 2, 'month' = 3) COMMENT 'How often it comes',
    at_minute        UInt16                              COMMENT 'Minute of the local day it begins at',
    duration_minutes UInt16                              COMMENT 'How long it takes',
    conversation_id  String                              COMMENT 'Conversation whose messages count as taking part; empty: check-ins only',
    host_id          String                              COMMENT 'Member who hosts it; empty: nobody in particular',
    version          UInt64                              COMMENT 'Warehouse clock in us when the settings were applied; 0: built in',
    is_deleted       UInt8 DEFAULT 0                     COMMENT '1 when the settings no longer have it'
)
ENGINE = ReplacingMergeTree(version, is_deleted)
ORDER BY (community_id, ritual, weekday, month_day)
COMMENT 'Rituals that communities declared. Read {db}.declared_rituals instead';

CREATE TABLE IF NOT EXISTS {store}.value_terms
(
    community_id LowCardinality(String)  COMMENT 'Community; empty: the defaults',
    value        String                  COMMENT 'Name of the value',
    term         String                  COMMENT 'Word or phrase that speaks of it',
    version      UInt64                  COMMENT 'Warehouse clock in us when the settings were applied; 0: built in',
    is_deleted   UInt8 DEFAULT 0         COMMENT '1 when the settings no longer have it'
)
ENGINE = ReplacingMergeTree(version, is_deleted)
ORDER BY (community_id, value, term)
COMMENT 'Words for the values of communities. Read {db}.value_terms instead';

CREATE TABLE IF NOT EXISTS {store}.value_acts
(
    community_id LowCardinality(String)                            COMMENT 'Community; empty: the defaults',
    value        String                                            COMMENT 'Name of the value',
    kind         Enum8('ritual' = 1, 'product' = 2, 'place' = 3)   COMMENT 'What ref names: the ritual or place of a check-in, or the product of an order or review',
    ref          String                                            COMMENT 'Ritual, product_id or place as events carry it',
    version      UInt64                                            COMMENT 'Warehouse clock in us when the settings were applied; 0: built in',
    is_deleted   UInt8 DEFAULT 0                                   COMMENT '1 when the settings no longer have it'
)
ENGINE = ReplacingMergeTree(version, is_deleted)
ORDER BY (community_id, value, kind, ref)
COMMENT 'What counts as acting on a value. Read {db}.value_acts instead';

CREATE TABLE IF NOT EXISTS {store}.ladder_levels
(
    community_id            LowCardinality(String)  COMMENT 'Community; empty: the defaults',
    level                   LowCardinality(String)  COMMENT 'Name of the level',
    rank                    UInt8                   COMMENT '1 for the lowest level, 2 for the next',
    weight                  Float64                 COMMENT 'Weight of a member of the level in gravity',
    window_days             UInt16                  COMMENT 'Local days, today included, over which the rest is counted',
    min_active_days         UInt16                  COMMENT 'Days with an engaged event that the level asks for',
    min_contributions       UInt32                  COMMENT 'Contributing events that the level asks for',
    min_hosted_or_cocreated UInt32                  COMMENT 'Reviews, acts of moderation and rituals hosted that the level asks for',
    grace_days              UInt16                  COMMENT 'Days that a member keeps the level without meeting it',
    version                 UInt64                  COMMENT 'Warehouse clock in us when the settings were applied; 0: built in',
    is_deleted              UInt8 DEFAULT 0         COMMENT '1 when the settings no longer have it'
)
ENGINE = ReplacingMergeTree(version, is_deleted)
ORDER BY (community_id, level)
COMMENT 'Steps from visitor to co-builder, and what each asks for. Read {db}.ladder_levels instead';

CREATE TABLE IF NOT EXISTS {store}.holidays
(
    community_id LowCardinality(String)  COMMENT 'Community; empty: the defaults',
    day          Date                    COMMENT 'Local day',
    name         String                  COMMENT 'What people call it',
    version      UInt64                  COMMENT 'Warehouse clock in us when the settings were applied; 0: built in',
    is_deleted   UInt8 DEFAULT 0         COMMENT '1 when the settings no longer have it'
)
ENGINE = ReplacingMergeTree(version, is_deleted)
ORDER BY (community_id, day)
COMMENT 'Days on which less is expected. Read {db}.holidays instead';

CREATE TABLE IF NOT EXISTS {store}.community_settings_history
(
    community_id LowCardinality(String)                    COMMENT 'Community; empty: the defaults',
    version      UInt64                                    COMMENT 'Warehouse clock in us when they were applied',
    status       Enum8('applying' = 1, 'applied' = 2)      COMMENT 'applying: written, but what depends on them was not yet told',
    parts        Array(LowCardinality(String))             COMMENT 'Parts that changed: zone, name, rituals, values, ladder, streaks, holidays',
    settings     String                                    COMMENT 'JSON object of the community''s own settings; empty when they were removed',
    hash         FixedString(64)                           COMMENT 'SHA-256 of settings, in hexadecimal'
)
ENGINE = ReplacingMergeTree
ORDER BY (community_id, version, status)
COMMENT 'Every version of the settings of every community. Read {db}.community_settings_history instead';

-- What holds until something else is applied: `BUILT_IN` of streams/communities/settings.py, which a test compares.
INSERT INTO {store}.zone_offsets (zone, from_utc, offset_s, version) VALUES ('UTC', 0, 0, 0);

INSERT INTO {store}.communities (community_id, zone, version) VALUES ('', 'UTC', 0);

INSERT INTO {store}.ladder_levels VALUES
    ('', 'visitor', 1, 0, 28, 0, 0, 0, 14, 0, 0),
    ('', 'participant', 2, 1, 28, 1, 0, 0, 14, 0, 0),
    ('', 'regular', 3, 4, 28, 4, 0, 0, 14, 0, 0),
    ('', 'contributor', 4, 7, 28, 0, 12, 0, 14, 0, 0),
    ('', 'co-builder', 5, 10, 84, 0, 0, 3, 14, 0, 0);
