-- SPDX-License-Identifier: Apache-2.0
-- name: decided_in_time
-- version: 1
-- definition: Items decided in the period whose decision stood in the log within 60 s of their first record, by mode. An item
--             that is held for a missing scan or declaration waits by policy and counts as late all the same.
-- numerator: items decided within 60 s of their first record
-- denominator: items decided
SELECT decisions.mode AS mode, sum(decisions.t_ns - items.first_ns <= 60000000000) AS numerator, count(*) AS denominator
FROM items JOIN decisions ON decisions.entry = items.decision_entry
WHERE decisions.t_ns >= ifnull(:from_ns, 0) AND decisions.t_ns < ifnull(:to_ns, 9223372036854775807)
GROUP BY decisions.mode ORDER BY decisions.mode;
