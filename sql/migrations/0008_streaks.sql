-- title: what streaks forgive
-- backend: any

CREATE TABLE IF NOT EXISTS {store}.streak_rules
(
    community_id LowCardinality(String)  COMMENT 'Community; empty: the defaults',
    grace_hours  UInt8                   COMMENT 'An act before this hour of the local day also keeps the day before',
    freeze_days  UInt8                   COMMENT 'Missing days in a row that do not end a streak; holidays are not counted',
    version      UInt64                  COMMENT 'Warehouse clock in us when the settings were applied; 0: built in',
    is_deleted   UInt8 DEFAULT 0         COMMENT '1 when the settings no longer have it'
)
ENGINE = ReplacingMergeTree(version, is_deleted)
ORDER BY community_id
COMMENT 'What a streak of active days forgives. Read {db}.streak_rules instead';

-- What holds until something else is applied: `BUILT_IN` of streams/communities/settings.py, which a test compares.
INSERT INTO {store}.streak_rules VALUES ('', 3, 1, 0, 0);
