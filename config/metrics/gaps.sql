-- SPDX-License-Identifier: Apache-2.0
-- name: gaps
-- version: 1
-- definition: Referrals of the period that nobody examined and nobody ended for a reason of his own, by site, mode and shift (UTC, of
--             the time of the referral: of its decision, or of the referral by hand). A gap is a referral that ended as expired or
--             not_presented, or that is open for more than 24 h at the time of the newest entry of the log.
-- numerator: gaps
-- denominator: referrals
SELECT site, mode,
  CASE opened_ns / 28800000000000 % 3 WHEN 0 THEN '00-08' WHEN 1 THEN '08-16' ELSE '16-24' END AS shift,
  sum(state IN ('expired', 'not_presented') OR (closed_ns IS NULL
    AND (SELECT value FROM meta WHERE name = 'last_ns') - opened_ns > 86400000000000)) AS numerator,
  count(*) AS denominator
FROM referrals
WHERE opened_ns >= ifnull(:from_ns, 0) AND opened_ns < ifnull(:to_ns, 9223372036854775807)
GROUP BY site, mode, shift ORDER BY site, mode, shift;
