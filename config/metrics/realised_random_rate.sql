-- SPDX-License-Identifier: Apache-2.0
-- name: realised_random_rate
-- version: 1
-- definition: Share of the items decided in the period that the random draw picked, by the stratum of the draw, beside the
--             nominal rate (mean of the rates stored with each decision, to 9 decimals). The interval should cover the nominal rate.
-- numerator: items that the random draw picked (arms random and both)
-- denominator: items decided
SELECT decisions.draw_stratum AS stratum, sum(decisions.arm IN ('random', 'both')) AS numerator,
  count(*) AS denominator, round(avg(decisions.random_rate), 9) AS nominal
FROM items JOIN decisions ON decisions.entry = items.decision_entry
WHERE decisions.t_ns >= ifnull(:from_ns, 0) AND decisions.t_ns < ifnull(:to_ns, 9223372036854775807)
GROUP BY decisions.draw_stratum ORDER BY decisions.draw_stratum;
