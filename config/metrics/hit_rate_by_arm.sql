-- SPDX-License-Identifier: Apache-2.0
-- name: hit_rate_by_arm
-- version: 3
-- definition: Finds among concluded exams, by the arm that referred the item, for items decided in the period. An item picked
--             by both arms counts in the random arm and in the target arm; the row "both" is shown for its own sake. What an
--             officer referred by hand, after the decision had let it go, is the arm "manual" and in no other row. Exams that
--             were abandoned and items returned to their sender conclude nothing and are left out. Of several outcomes of an
--             item the one that stands counts: the newest, but a second exam leaves standing what says more: a find before
--             nothing found, that before an abandoned exam.
-- numerator: concluded exams that found something (results found, partial)
-- denominator: concluded exams (results nothing_found, found, partial)
WITH exams AS (
  SELECT referrals.arm AS arm, outcomes.found AS found
  FROM outcomes JOIN items ON items.item = outcomes.item JOIN decisions ON decisions.entry = items.decision_entry
    JOIN referrals ON referrals.item = outcomes.item
  WHERE outcomes.standing = 1
    AND outcomes.result IN ('nothing_found', 'found', 'partial')
    AND decisions.t_ns >= ifnull(:from_ns, 0) AND decisions.t_ns < ifnull(:to_ns, 9223372036854775807)
), shown(place, arm, first, second) AS (
  VALUES (1, 'target', 'target', 'both'), (2, 'random', 'random', 'both'), (3, 'both', 'both', 'both'),
         (4, 'cautious', 'cautious', 'cautious'), (5, 'manual', 'manual', 'manual')
)
SELECT shown.arm AS arm, ifnull(sum(exams.found), 0) AS numerator, count(exams.arm) AS denominator
FROM shown LEFT JOIN exams ON exams.arm IN (shown.first, shown.second)
GROUP BY shown.place ORDER BY shown.place;
