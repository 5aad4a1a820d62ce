-- SPDX-License-Identifier: Apache-2.0
-- name: operations
-- version: 1
-- definition: Targeted operations by their registered metric (hit_rate: finds among concluded exams; exam_rate: concluded exams
--             among items; find_rate: finds among items), over the items decided within scope and dates, until the operation is
--             closed; and their comparator: before: the same scope in as long a time right before; others: the other sites of
--             the mode; random: the random arm of the scope, against its target arm. Periods do not apply.
-- numerator: finds, or concluded exams, by the metric
-- denominator: concluded exams, or items, by the metric
WITH operation AS (
  SELECT *, min(to_ns, ifnull(closed_ns, (SELECT value FROM meta WHERE name = 'last_ns') + 1)) AS until_ns FROM operations
), sides(place, side) AS (VALUES (0, 'operation'), (1, 'comparator')
), counted AS (
  SELECT operation.name AS name, sides.place AS place, sides.side AS side, operation.metric AS metric,
    operation.comparator AS comparator, decisions.entry AS entry,
    outcomes.result IN ('nothing_found', 'found', 'partial') AS concluded, outcomes.result IN ('found', 'partial') AS found
  FROM operation CROSS JOIN sides LEFT JOIN decisions
    ON decisions.entry = (SELECT decision_entry FROM items WHERE items.item = decisions.item)
    AND (operation.mode = '' OR decisions.mode = operation.mode)
    AND CASE WHEN sides.place = 1 AND operation.comparator = 'others' THEN decisions.site <> operation.site
        ELSE (operation.site = '' OR decisions.site = operation.site) AND (operation.lane = '' OR decisions.lane = operation.lane) END
    AND decisions.t_ns >= CASE WHEN sides.place = 1 AND operation.comparator = 'before'
        THEN operation.from_ns - (operation.until_ns - operation.from_ns) ELSE operation.from_ns END
    AND decisions.t_ns < CASE WHEN sides.place = 1 AND operation.comparator = 'before'
        THEN operation.from_ns ELSE operation.until_ns END
    AND (operation.comparator <> 'random' OR decisions.arm IN (CASE sides.place WHEN 0 THEN 'target' ELSE 'random' END, 'both'))
  LEFT JOIN outcomes ON outcomes.item = decisions.item AND outcomes.standing = 1
)
SELECT name AS operation, side, comparator, metric,
  ifnull(CASE metric WHEN 'exam_rate' THEN sum(concluded) ELSE sum(found) END, 0) AS numerator,
  ifnull(CASE metric WHEN 'hit_rate' THEN sum(concluded) ELSE count(entry) END, 0) AS denominator
FROM counted GROUP BY name, place ORDER BY name, place;
