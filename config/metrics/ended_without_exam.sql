-- SPDX-License-Identifier: Apache-2.0
-- name: ended_without_exam
-- version: 1
-- definition: Referrals decided in the period that ended without an exam, by terminal state and coded reason.
-- numerator: referrals that ended in this state for this reason
-- denominator: referrals that ended
WITH ended AS (
  SELECT referrals.state AS state, referrals.code AS code FROM referrals
  WHERE closed_ns IS NOT NULL
    AND opened_ns >= ifnull(:from_ns, 0) AND opened_ns < ifnull(:to_ns, 9223372036854775807)
)
SELECT state, code, count(*) AS numerator, (SELECT count(*) FROM ended) AS denominator
FROM ended WHERE state <> 'outcome' GROUP BY state, code ORDER BY state, code;
