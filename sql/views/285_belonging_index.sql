-- title: belonging index: the mean of its components' percentiles, each against the community's own history
-- Components of equal weight; those that a community does not have are left out, and components says how many there were.
CREATE OR REPLACE VIEW {db}.belonging_index AS
SELECT
    community_id,
    month,
    avg(percentile) AS belonging,
    count(percentile) AS components,
    anyIf(percentile, component = 'returning') AS returning,
    anyIf(percentile, component = 'contributing') AS contributing,
    anyIf(percentile, component = 'turnout') AS turnout,
    anyIf(percentile, component = 'habit') AS habit,
    anyIf(percentile, component = 'answered') AS answered,
    anyIf(percentile, component = 'talk_to_act') AS talk_to_act
FROM {db}.belonging_components
GROUP BY community_id, month
HAVING components > 0;
