-- SPDX-License-Identifier: Apache-2.0
-- name: open_ageing
-- version: 1
-- definition: How long the referrals that are open now have been waiting, by mode. Now is the time of the newest entry of the
--             log, so that the same log gives the same figure whenever it is asked. Periods do not apply.
-- numerator: open referrals of this mode and age
-- denominator: open referrals of this mode
WITH open AS (
  SELECT mode, ((SELECT value FROM meta WHERE name = 'last_ns') - opened_ns) / 3600000000000.0 AS hours
  FROM referrals WHERE closed_ns IS NULL
), ages(place, age, at_least, below) AS (
  VALUES (1, 'under 1 h', -1e300, 1.0), (2, '1 to 4 h', 1.0, 4.0), (3, '4 to 24 h', 4.0, 24.0),
         (4, '1 to 7 days', 24.0, 168.0), (5, 'over 7 days', 168.0, 1e300)
), modes AS (
  SELECT mode, count(*) AS total FROM open GROUP BY mode
)
SELECT modes.mode AS mode, ages.age AS age, count(open.mode) AS numerator, modes.total AS denominator
FROM modes CROSS JOIN ages
LEFT JOIN open ON open.mode = modes.mode AND open.hours >= ages.at_least AND open.hours < ages.below
GROUP BY modes.mode, ages.place ORDER BY modes.mode, ages.place;
