-- SPDX-License-Identifier: Apache-2.0
-- name: refusals
-- version: 1
-- definition: Records that were refused in the period, by publisher and reason.
-- numerator: records of this publisher refused for this reason
-- denominator: records of this publisher, accepted and refused
WITH refused AS (
  SELECT publisher, name, count(*) AS refused FROM refusals
  WHERE t_ns >= ifnull(:from_ns, 0) AND t_ns < ifnull(:to_ns, 9223372036854775807) GROUP BY publisher, name
), accepted AS (
  SELECT publisher, count(*) AS accepted FROM records
  WHERE t_ns >= ifnull(:from_ns, 0) AND t_ns < ifnull(:to_ns, 9223372036854775807) GROUP BY publisher
)
SELECT refused.publisher AS publisher, refused.name AS reason, refused.refused AS numerator,
  ifnull(accepted.accepted, 0)
    + (SELECT sum(every.refused) FROM refused AS every WHERE every.publisher = refused.publisher) AS denominator
FROM refused LEFT JOIN accepted ON accepted.publisher = refused.publisher
ORDER BY refused.publisher, refused.name;
