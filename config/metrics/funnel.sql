-- SPDX-License-Identifier: Apache-2.0
-- name: funnel
-- version: 2
-- definition: What became of the items decided in the period, by mode. Each stage is a part of the one above it; "open" is
--             what has neither an outcome nor a coded end yet. Of several outcomes of an item the one that stands counts: the
--             newest, but a second exam leaves standing what says more: a find before nothing found, that before an abandoned exam.
-- numerator: items of this mode that reached this stage
-- denominator: items of this mode decided in the period
WITH decided AS (
  SELECT items.item AS item, decisions.mode AS mode, decisions.decision = 'refer' AS referred
  FROM items JOIN decisions ON decisions.entry = items.decision_entry
  WHERE decisions.t_ns >= ifnull(:from_ns, 0) AND decisions.t_ns < ifnull(:to_ns, 9223372036854775807)
), reached AS (
  SELECT decided.mode AS mode, decided.referred AS referred,
    referrals.claimed_ns IS NOT NULL OR outcomes.entry IS NOT NULL AS claimed,
    outcomes.entry IS NOT NULL AS examined,
    ifnull(outcomes.found, 0) AS found,
    referrals.closed_ns IS NOT NULL AND outcomes.entry IS NULL AS ended_without_exam,
    referrals.item IS NOT NULL AND referrals.closed_ns IS NULL AS open
  FROM decided LEFT JOIN referrals ON referrals.item = decided.item
  LEFT JOIN outcomes ON outcomes.item = decided.item AND outcomes.standing = 1
), sums AS (
  SELECT mode, count(*) AS decided, sum(referred) AS referred, sum(claimed) AS claimed, sum(examined) AS examined,
    sum(found) AS found, sum(ended_without_exam) AS ended_without_exam, sum(open) AS open
  FROM reached GROUP BY mode
)
SELECT mode, stage, numerator, denominator FROM (
  SELECT mode, 1 AS place, 'decided' AS stage, decided AS numerator, decided AS denominator FROM sums
  UNION ALL SELECT mode, 2, 'referred', referred, decided FROM sums
  UNION ALL SELECT mode, 3, 'claimed', claimed, decided FROM sums
  UNION ALL SELECT mode, 4, 'examined', examined, decided FROM sums
  UNION ALL SELECT mode, 5, 'found', found, decided FROM sums
  UNION ALL SELECT mode, 6, 'ended without exam', ended_without_exam, decided FROM sums
  UNION ALL SELECT mode, 7, 'open', open, decided FROM sums
) ORDER BY mode, place;
