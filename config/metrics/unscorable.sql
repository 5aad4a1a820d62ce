-- SPDX-License-Identifier: Apache-2.0
-- name: unscorable
-- version: 1
-- definition: Items decided in the period that no model could say anything about, by mode.
-- numerator: items whose newest score is marked as unscorable
-- denominator: items decided
SELECT decisions.mode AS mode, sum(scores.unscorable <> '') AS numerator, count(*) AS denominator
FROM items JOIN decisions ON decisions.entry = items.decision_entry JOIN scores ON scores.entry = items.score_entry
WHERE decisions.t_ns >= ifnull(:from_ns, 0) AND decisions.t_ns < ifnull(:to_ns, 9223372036854775807)
GROUP BY decisions.mode ORDER BY decisions.mode;
