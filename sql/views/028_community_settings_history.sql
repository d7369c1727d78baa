-- title: every version of the settings of every community
-- community_id is empty for the defaults. complete = 0: written, but what depends on them was not told yet; apply them again.
CREATE OR REPLACE VIEW {db}.community_settings_history AS
SELECT
    community_id,
    fromUnixTimestamp64Micro(toInt64(version), 'UTC') AS applied_at,
    any(h.parts) AS parts,
    any(h.settings) AS settings,
    any(h.hash) AS hash,
    max(h.status) = 'applied' AS complete
FROM {store}.community_settings_history AS h FINAL
GROUP BY community_id, version;
