/* SPDX-License-Identifier: Apache-2.0 */
/* STATEMENT(name, sql): every statement that the read model keeps prepared. Included several times;
 * no guard on purpose. */

/* ---- bookkeeping */
STATEMENT(META_GET, "SELECT value FROM meta WHERE name = ?1")
STATEMENT(META_SET, "INSERT INTO meta(name, value) VALUES(?1, ?2) ON CONFLICT(name) DO UPDATE SET "
                    "value = excluded.value")

/* ---- state_apply: one or a few for each entry type */
STATEMENT(STREAM_PUT, "INSERT INTO streams(publisher, stream, next_sequence) VALUES(?1, ?2, ?3)"
                      " ON CONFLICT(publisher, stream) DO UPDATE SET next_sequence = "
                      "max(next_sequence, excluded.next_sequence)")
STATEMENT(CONFIG_PUT, "INSERT INTO config VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)")
STATEMENT(MODEL_END, "UPDATE models SET ended_entry = ?2 WHERE name = ?1 AND ended_entry IS NULL")
STATEMENT(MODEL_PUT, "INSERT INTO models VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, NULL)")
STATEMENT(SHADOW_SCORE_PUT, "INSERT INTO shadow_scores VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
                            " ON CONFLICT(item) DO NOTHING")
STATEMENT(DRAW_COMMIT, "INSERT INTO draws(day, scheme, commitment, commit_entry) VALUES(?1, ?2, "
                       "?3, ?4) ON CONFLICT(day) DO NOTHING")
STATEMENT(
    DRAW_RATE_PUT,
    "INSERT INTO draw_rates(day, stratum, rate, floor, reason) VALUES(?1, ?2, ?3, ?4, ?5) ON "
    "CONFLICT(day, stratum) DO UPDATE SET rate = excluded.rate, floor = excluded.floor, reason "
    "= excluded.reason")
STATEMENT(DRAW_REVEAL,
          "UPDATE draws SET reveal_entry = ?2, key = ?3 WHERE day = ?1 AND reveal_entry IS NULL")
STATEMENT(RECORD_PUT, "INSERT INTO records VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, "
                      "?12, ?13, ?14, ?15, ?16, ?17, ?18,"
                      " ?19, ?20, ?21)")
STATEMENT(IMAGE_PUT, "INSERT INTO images VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)")
STATEMENT(ITEM_BY_KEY,
          "SELECT items.item FROM items JOIN decisions ON decisions.entry = items.decision_entry"
          " WHERE items.join_key = ?1 AND items.mode = ?2 AND items.site = ?3"
          " AND decisions.t_ns >= ?4 ORDER BY items.decision_entry DESC LIMIT 1")
STATEMENT(RECORDS_LEFT,
          "UPDATE records INDEXED BY records_free_key SET item = ?1, late = 1 WHERE item IS NULL"
          " AND entry < ?2 AND join_key = (SELECT join_key FROM items WHERE item = ?1)"
          " AND mode = ?3 AND site = ?4")
STATEMENT(REFUSAL_PUT, "INSERT INTO refusals VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)")
STATEMENT(
    RECORD_JOIN,
    "UPDATE records SET late = CASE WHEN item IS ?2 THEN late ELSE 0 END, item = ?2 WHERE id = ?1")
STATEMENT(ITEM_FROM_RECORD,
          "INSERT INTO items(item, mode, site, lane, join_key, label, first_ns, score_entry)"
          " SELECT ?2, mode, site, lane, join_key, label, t_ns, ?3 FROM records WHERE id = ?1"
          " ON CONFLICT(item) DO UPDATE SET score_entry = excluded.score_entry,"
          " first_ns = min(first_ns, excluded.first_ns)")
STATEMENT(SCORE_PUT, "INSERT INTO scores VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")
STATEMENT(RECORD_SCANNER,
          "SELECT scanner, acquired_ns FROM records WHERE id = ?1 AND kind = 'scan'")
STATEMENT(QUALITY_ADD, "INSERT INTO image_quality VALUES(?1, ?2, ?3, ?4, 1) ON CONFLICT(scanner, "
                       "day, figure, value) DO UPDATE SET images = images + 1")
STATEMENT(QUALITY_SCANNERS,
          "SELECT DISTINCT scanner FROM image_quality WHERE scanner > ?1 ORDER BY scanner LIMIT 1")
STATEMENT(QUALITY_ROWS, "SELECT day, figure, value, images FROM image_quality WHERE scanner = ?1 "
                        "AND day >= ?2 AND day < ?3 ORDER BY day, figure, value")
STATEMENT(CONTRIBUTION_PUT, "INSERT INTO contributions VALUES(?1, ?2, ?3, ?4, ?5)")
STATEMENT(SCORE_MODEL_PUT, "INSERT INTO score_models VALUES(?1, ?2, ?3, ?4)")
STATEMENT(REGION_PUT, "INSERT INTO regions VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")
STATEMENT(ITEM_DECISION, "SELECT decision_entry FROM items WHERE item = ?1")
STATEMENT(DECISION_PUT, "INSERT INTO decisions VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, "
                        "?11, ?12, ?13, ?14, ?15, ?16, ?17,"
                        " ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25)")
STATEMENT(ITEM_DECIDE,
          "INSERT INTO items(item, mode, site, lane, join_key, label, first_ns, decision_entry)"
          " VALUES(?1, ?2, ?3, ?4, '', ?5, ?6, ?7)"
          " ON CONFLICT(item) DO UPDATE SET decision_entry = excluded.decision_entry, mode = "
          "excluded.mode,"
          " site = excluded.site, lane = excluded.lane,"
          " label = CASE WHEN excluded.label = '' THEN label ELSE excluded.label END")
STATEMENT(REFERRAL_PUT, "INSERT INTO referrals VALUES(?1, ?2, 'queued', 1, '', '', ?3, ?4, ?5, ?6, "
                        "NULL, NULL, ?7, ?8, ?9)"
                        " ON CONFLICT(item) DO NOTHING")
STATEMENT(ACTION_PUT, "INSERT INTO actions VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")
STATEMENT(
    REFERRAL_CLAIM,
    "UPDATE referrals SET state = ?2, version = ?3, actor = ?4, claimed_ns = ?5 WHERE item = ?1")
STATEMENT(REFERRAL_CLOSE, "UPDATE referrals SET state = ?2, version = ?3, actor = CASE WHEN actor "
                          "= '' THEN ?4 ELSE actor END,"
                          " closed_ns = ?5, code = ?6 WHERE item = ?1")
/* A later outcome leaves the referral ended as it was. */
STATEMENT(REFERRAL_AGAIN, "UPDATE referrals SET version = ?2 WHERE item = ?1")
STATEMENT(OUTCOME_PUT, "INSERT INTO outcomes VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, "
                       "?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22)")
STATEMENT(OUTCOME_STEP_DOWN, "UPDATE outcomes SET standing = 0 WHERE item = ?1 AND standing = 1")
STATEMENT(STANDING, "SELECT entry, result FROM outcomes WHERE item = ?1 AND standing = 1")
STATEMENT(REQUEST_PUT, "INSERT INTO requests(request_id, entry, what, item, actor)"
                       " VALUES(?1, ?2, ?3, ?4, ?5) ON CONFLICT(request_id) DO NOTHING")
STATEMENT(OPERATION_PUT, "INSERT INTO operations VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, "
                         "?11, ?12, ?13, NULL, NULL, '', 0, 0, 0, 0) ON CONFLICT DO NOTHING")
STATEMENT(OPERATION_CLOSE,
          "UPDATE operations SET close_entry = ?2, closed_ns = ?3, reason = ?4, numerator = ?5,"
          " denominator = ?6, comparator_numerator = ?7, comparator_denominator = ?8"
          " WHERE name = ?1 AND close_entry IS NULL")
STATEMENT(REDACTION_PUT, "INSERT INTO redactions VALUES(?1, ?2, ?3) ON CONFLICT DO NOTHING")
STATEMENT(REDACTED_DIGEST_PUT,
          "INSERT INTO redacted_digests VALUES(?1, ?2) ON CONFLICT(digest) DO NOTHING")
STATEMENT(RECORD_REDACT,
          "UPDATE records SET sha256 = zeroblob(32), label = item_key WHERE entry = ?1")
STATEMENT(ITEM_REDACT, "UPDATE items SET label = join_key WHERE decision_entry IS NULL"
                       " AND item = (SELECT item FROM records WHERE entry = ?1)")
STATEMENT(SEAL_PUT, "INSERT INTO seals VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")

STATEMENT(COPY_PUT,
          "INSERT INTO copies VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO UPDATE SET"
          " entry = excluded.entry, t_ns = excluded.t_ns, file_bytes = "
          "excluded.file_bytes,"
          " sha256 = excluded.sha256, same_device = excluded.same_device")
STATEMENT(BLOB_PUT, "INSERT INTO blobs VALUES(?1, ?2, ?3) ON CONFLICT DO NOTHING")
STATEMENT(DISCARD_PUT, "INSERT INTO discards VALUES(?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET"
                       " entry = excluded.entry, t_ns = excluded.t_ns, kept_in = excluded.kept_in")
STATEMENT(BLOB_GONE, "DELETE FROM blobs WHERE sha256 = ?1 AND entry <= coalesce((SELECT "
                     "max(last_index) FROM seals WHERE path = ?2), -1)")
STATEMENT(HOLD_PUT, "INSERT INTO holds VALUES(?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE SET"
                    " entry = excluded.entry, t_ns = excluded.t_ns, actor = excluded.actor,"
                    " reason = excluded.reason")
STATEMENT(HOLD_GONE, "DELETE FROM holds WHERE item = ?1")

/* ---- what the judge line asks */
STATEMENT(STREAMS,
          "SELECT publisher, stream, next_sequence FROM streams ORDER BY publisher, stream")
STATEMENT(UNDECIDED,
          "SELECT entry FROM records INDEXED BY records_free WHERE item IS NULL AND entry >= ?1"
          " UNION ALL SELECT records.entry FROM items INDEXED BY items_undecided"
          " JOIN records ON records.item = items.item WHERE items.decision_entry IS NULL AND "
          "records.entry >= ?1"
          " ORDER BY 1 LIMIT ?2")
STATEMENT(
    RECENT_DECISIONS,
    "SELECT decisions.item, decisions.mode, decisions.site, items.join_key, decisions.probability,"
    " ifnull(scores.unscorable, '?') = '', decisions.decision = 'refer', decisions.t_ns, "
    "decisions.entry, decisions.cutoff"
    " FROM (SELECT entry FROM decisions ORDER BY entry DESC LIMIT ?1) AS newest"
    " JOIN decisions ON decisions.entry = newest.entry JOIN items ON items.item = decisions.item"
    " LEFT JOIN scores ON scores.entry = items.score_entry ORDER BY decisions.entry")
STATEMENT(
    PASTS,
    "SELECT d.entry, d.t_ns, d.mode, d.site, d.lane, d.probability, d.cutoff,"
    " ifnull(s.unscorable, '?') = '', d.decision = 'refer', d.arm, d.propensity, d.random_rate,"
    " d.policy_sha256, ifnull(r.arm, '') = 'manual', ifnull(r.opened_ns, 0), ifnull(r.closed_ns, "
    "0), o.entry IS NOT NULL, ifnull(o.found, 0)"
    " FROM decisions AS d LEFT JOIN items AS i ON i.item = d.item"
    " LEFT JOIN scores AS s ON s.entry = i.score_entry LEFT JOIN referrals AS r ON r.item = d.item"
    " LEFT JOIN outcomes AS o ON o.item = d.item AND o.standing = 1"
    " AND o.result IN ('found', 'partial', 'nothing_found')"
    " WHERE d.entry >= ?1 AND d.t_ns < ?2 ORDER BY d.entry LIMIT ?3")
/* The same with what a model in shadow said; its column is at the end. */
STATEMENT(
    SHADOW_PASTS,
    "SELECT d.entry, d.t_ns, d.mode, d.site, d.lane, d.probability, d.cutoff,"
    " ifnull(s.unscorable, '?') = '', d.decision = 'refer', d.arm, d.propensity, d.random_rate,"
    " d.policy_sha256, ifnull(r.arm, '') = 'manual', ifnull(r.opened_ns, 0), ifnull(r.closed_ns, "
    "0), o.entry IS NOT NULL, ifnull(o.found, 0),"
    " x.entry IS NOT NULL, ifnull(x.unscorable, '?') = '', ifnull(x.probability, 0)"
    " FROM decisions AS d LEFT JOIN items AS i ON i.item = d.item"
    " LEFT JOIN scores AS s ON s.entry = i.score_entry LEFT JOIN referrals AS r ON r.item = d.item"
    " LEFT JOIN outcomes AS o ON o.item = d.item AND o.standing = 1"
    " AND o.result IN ('found', 'partial', 'nothing_found')"
    " LEFT JOIN shadow_scores AS x ON x.item = d.item AND x.sha256 = ?2"
    " WHERE d.entry >= ?1 ORDER BY d.entry LIMIT ?3")
STATEMENT(PAST_FIRST, "SELECT ifnull(min(entry), 0) FROM (SELECT entry FROM decisions WHERE t_ns < "
                      "?1 ORDER BY entry DESC LIMIT ?2)")
/* At most one label for each item: the outcome that stands. */
STATEMENT(OUTCOMES, "SELECT entry, t_ns, found, item, result FROM outcomes WHERE entry >= ?1"
                    " AND standing = 1 AND result IN ('found', 'partial', 'nothing_found')"
                    " ORDER BY entry LIMIT ?2")
STATEMENT(ITEM_DECLARATIONS, "SELECT entry FROM records WHERE item = ?1 AND kind = 'declaration' "
                             "AND entry < ?2 ORDER BY entry LIMIT ?3")
STATEMENT(MODELS,
          "SELECT name, sha256 FROM models WHERE ended_entry IS NULL AND name NOT LIKE 'shadow/%'"
          " ORDER BY name LIMIT ?1")
STATEMENT(SHADOW,
          "SELECT substr(name, 8), sha256, entry, t_ns FROM models WHERE ended_entry IS NULL"
          " AND name LIKE 'shadow/%' ORDER BY entry DESC LIMIT 1")
STATEMENT(MODELS_SINCE, "SELECT ifnull(max(entry), 0) FROM models WHERE name NOT LIKE 'shadow/%'")
STATEMENT(RECORD_ENTRY, "SELECT entry FROM records WHERE id = ?1")
STATEMENT(LAST_DRAW, "SELECT day, reveal_entry IS NOT NULL FROM draws ORDER BY day DESC LIMIT 1")
STATEMENT(OPEN_DRAWS, "SELECT day FROM draws WHERE reveal_entry IS NULL ORDER BY day LIMIT ?1")
STATEMENT(SEALED_UNTIL, "SELECT max(last_index) + 1 FROM seals")
STATEMENT(CONFIG, "SELECT config_sha256, policy_sha256, computing, arm_hidden FROM config "
                  "ORDER BY entry DESC LIMIT 1")
STATEMENT(
    RECORD_KNOWN,
    "SELECT max(sha256 = ?3) FROM records WHERE record_id = ?1 AND kind = ?2 HAVING count(*) > 0")

/* ---- what redaction asks */
STATEMENT(ENTRY_REDACTED, "SELECT 1 FROM redactions WHERE entry = ?1 LIMIT 1")
STATEMENT(DIGEST_REDACTED, "SELECT 1 FROM redacted_digests WHERE digest = ?1")
STATEMENT(REDACTIONS,
          "SELECT redact_entry, entry, t_ns FROM redactions WHERE redact_entry > ?1"
          " OR (redact_entry = ?1 AND entry >= ?2) ORDER BY redact_entry, entry LIMIT ?3")

/* ---- where an image lies */
STATEMENT(IMAGE_FIND, "SELECT entry, width, height, bits FROM images INDEXED BY images_sha256 "
                      "WHERE sha256 = ?1 ORDER BY entry, position LIMIT ?2")
STATEMENT(SEAL_OF, "SELECT path, last_index FROM seals INDEXED BY seals_first WHERE first_index <= "
                   "?1 ORDER BY first_index DESC LIMIT 1")

/* ---- what the retention line asks */
STATEMENT(SEAL_NEXT, "SELECT entry, path, file_bytes, sha256, first_index, last_index FROM seals"
                     " WHERE entry > ?1 ORDER BY entry LIMIT 1")
STATEMENT(SEAL_UNCOPIED,
          "SELECT entry, path, file_bytes, sha256, first_index, last_index FROM seals"
          " WHERE entry > ?1 AND NOT EXISTS (SELECT 1 FROM copies WHERE copies.path"
          " = seals.path AND copies.place = ?2 AND copies.sha256 = seals.sha256)"
          " ORDER BY entry LIMIT 1")
STATEMENT(PLACE_KNOWN, "SELECT 1 FROM copies WHERE place = ?1 LIMIT 1")
STATEMENT(COPIES_WAITING,
          "SELECT count(*), coalesce(min(t_ns), 0) FROM seals WHERE NOT EXISTS (SELECT 1 FROM"
          " copies WHERE copies.path = seals.path AND copies.place = ?1"
          " AND copies.sha256 = seals.sha256)")
/* Those of a sealed range whose newest use lies in it, in the order of entries. */
STATEMENT(BLOBS_OF_SEAL,
          "SELECT sha256, entry, bytes, (SELECT t_ns FROM records WHERE records.entry = one.entry)"
          " FROM blobs AS one WHERE entry BETWEEN ?1 AND ?2"
          " AND (entry > ?3 OR (entry = ?3 AND sha256 > ?4))"
          " AND NOT EXISTS (SELECT 1 FROM blobs WHERE blobs.sha256 = one.sha256"
          " AND blobs.entry > one.entry) ORDER BY entry, sha256 LIMIT ?5")
/* Every use of the payload: what keeps it. A hold keeps it as well when the item's own use of it
 * went before the hold: no discard of a payload of the item stands behind it in the log. */
STATEMENT(
    BLOB_USES,
    "SELECT count(*),"
    " max(records.item IS NULL OR items.decision_entry IS NULL),"
    " max(EXISTS (SELECT 1 FROM referrals WHERE referrals.item = records.item AND closed_ns IS"
    " NULL)),"
    " EXISTS (SELECT 1 FROM holds WHERE item = x'') OR EXISTS (SELECT 1 FROM images INDEXED BY"
    " images_sha256 JOIN records AS h ON h.entry = images.entry JOIN holds ON holds.item = h.item"
    " WHERE images.sha256 = ?1),"
    " max(max(records.t_ns, coalesce((SELECT closed_ns FROM referrals WHERE referrals.item ="
    " records.item), 0)) + CASE WHEN EXISTS (SELECT 1 FROM outcomes WHERE outcomes.item ="
    " records.item AND standing = 1 AND result IN ('found', 'partial')) THEN ?3 ELSE ?2 END),"
    " max(EXISTS (SELECT 1 FROM outcomes WHERE outcomes.item = records.item AND standing = 1"
    " AND result IN"
    " ('found', 'partial')))"
    " FROM blobs INDEXED BY blobs_sha256 JOIN records ON records.entry = blobs.entry"
    " LEFT JOIN items ON items.item = records.item WHERE blobs.sha256 = ?1")
STATEMENT(BLOB_KNOWN, "SELECT 1 FROM blobs WHERE sha256 = ?1 LIMIT 1")
STATEMENT(LAST_DISCARDS, "SELECT sha256 FROM discards WHERE entry = (SELECT max(entry) FROM "
                         "discards) LIMIT ?1")
STATEMENT(DISCARD_SEAL, "SELECT entry, path, file_bytes, sha256, first_index, last_index FROM seals"
                        " WHERE path = (SELECT kept_in FROM discards WHERE entry = (SELECT"
                        " max(entry) FROM discards) LIMIT 1) ORDER BY entry DESC LIMIT 1")
STATEMENT(HELD, "SELECT 1 FROM holds WHERE item = ?1")

/* ---- commands and reports */
STATEMENT(REFERRAL, "SELECT coalesce(referrals.state, 'none'), coalesce(referrals.version, 0), "
                    "coalesce(referrals.actor, ''),"
                    " decisions.id, items.mode, items.site FROM items JOIN decisions ON "
                    "decisions.entry = items.decision_entry"
                    " LEFT JOIN referrals ON referrals.item = items.item WHERE items.item = ?1")
STATEMENT(OPEN_REFERRALS, "SELECT mode, site, count(*) FROM referrals INDEXED BY referrals_open "
                          "WHERE closed_ns IS NULL GROUP BY mode, site LIMIT ?1")
/* Pairs of mode and time, ?1 to ?12: daemon/state/ageing.c. */
STATEMENT(UNCLAIMED,
          "WITH before(mode, ns) AS (VALUES (?1, ?2), (?3, ?4), (?5, ?6), (?7, ?8), (?9, ?10),"
          " (?11, ?12)) SELECT item FROM referrals INDEXED BY referrals_open CROSS JOIN before"
          " ON before.mode = referrals.mode WHERE closed_ns IS NULL AND opened_ns < ns"
          " AND state IN ('queued', 'presented') ORDER BY opened_ns, decision_entry LIMIT ?13")
STATEMENT(OVERDUE,
          "WITH before(mode, ns) AS (VALUES (?1, ?2), (?3, ?4), (?5, ?6), (?7, ?8), (?9, ?10),"
          " (?11, ?12)) SELECT referrals.mode, site, count(*), min(opened_ns) AS oldest FROM"
          " referrals INDEXED BY referrals_open CROSS JOIN before ON before.mode = referrals.mode"
          " WHERE closed_ns IS NULL AND opened_ns < ns GROUP BY referrals.mode, site"
          " ORDER BY oldest, referrals.mode, site")
STATEMENT(DECISION_OF, "SELECT decisions.entry, decisions.mode, decisions.site FROM items JOIN "
                       "decisions ON decisions.entry = items.decision_entry WHERE items.item = ?1")
STATEMENT(REQUEST, "SELECT entry, what, item, actor FROM requests WHERE request_id = ?1")
STATEMENT(OPERATION, "SELECT entry, close_entry FROM operations WHERE name = ?1")
/* As config/metrics/operations.sql counts them, for one operation until ?2; a test holds the two
 * together. */
STATEMENT(
    OPERATION_FIGURES,
    "WITH operation AS (SELECT *, min(to_ns, ?2) AS until_ns FROM operations WHERE name = ?1),"
    " sides(place) AS (VALUES (0), (1)), counted AS (SELECT place, metric, decisions.entry AS"
    " entry, outcomes.result IN ('nothing_found', 'found', 'partial') AS concluded,"
    " outcomes.result IN ('found', 'partial') AS found FROM operation CROSS JOIN sides LEFT JOIN"
    " decisions ON decisions.entry = (SELECT decision_entry FROM items WHERE items.item ="
    " decisions.item) AND (operation.mode = '' OR decisions.mode = operation.mode)"
    " AND CASE WHEN place = 1 AND comparator = 'others' THEN decisions.site <> operation.site"
    " ELSE (operation.site = '' OR decisions.site = operation.site)"
    " AND (operation.lane = '' OR decisions.lane = operation.lane) END"
    " AND decisions.t_ns >= CASE WHEN place = 1 AND comparator = 'before'"
    " THEN from_ns - (until_ns - from_ns) ELSE from_ns END"
    " AND decisions.t_ns < CASE WHEN place = 1 AND comparator = 'before' THEN from_ns"
    " ELSE until_ns END AND (comparator <> 'random' OR decisions.arm IN"
    " (CASE place WHEN 0 THEN 'target' ELSE 'random' END, 'both'))"
    " LEFT JOIN outcomes ON outcomes.item = decisions.item AND outcomes.standing = 1)"
    " SELECT place, ifnull(CASE metric WHEN 'exam_rate' THEN sum(concluded) ELSE sum(found) END,"
    " 0), ifnull(CASE metric WHEN 'hit_rate' THEN sum(concluded) ELSE count(entry) END, 0)"
    " FROM counted GROUP BY place")
STATEMENT(
    QUEUE_OPEN, /* order: decide/queue_order.h, which a test holds it against */
    "SELECT referrals.item, items.label, items.mode, items.site, items.lane, "
    "referrals.arm, "
    "referrals.state,"
    " referrals.actor, decisions.probability, decisions.propensity, decisions.priority, "
    "decisions.cutoff,"
    " decisions.t_ns, referrals.version, decisions.entry, decisions.reasons"
    " FROM referrals INDEXED BY referrals_open JOIN items ON items.item = referrals.item"
    " JOIN decisions ON decisions.entry = referrals.decision_entry"
    " WHERE referrals.closed_ns IS NULL AND (?1 = '' OR referrals.mode = ?1)"
    " AND (?2 = '' OR referrals.site = ?2)"
    " ORDER BY referrals.priority + max(?5 - referrals.opened_ns, 0) / 3.6e12 * referrals.ageing"
    " + min(max(?5 - referrals.opened_ns, 0) / 3.6e12, 8.0) * referrals.perishable DESC,"
    " referrals.decision_entry LIMIT ?3 OFFSET ?4")
STATEMENT(QUEUE_ALL,
          "SELECT referrals.item, items.label, items.mode, items.site, items.lane, "
          "referrals.arm, "
          "referrals.state,"
          " referrals.actor, decisions.probability, decisions.propensity, decisions.priority, "
          "decisions.cutoff,"
          " decisions.t_ns, referrals.version, decisions.entry, decisions.reasons"
          " FROM referrals JOIN items ON items.item = referrals.item"
          " JOIN decisions ON decisions.entry = referrals.decision_entry"
          " WHERE (?1 = '' OR referrals.mode = ?1) AND (?2 = '' OR referrals.site = ?2)"
          " ORDER BY referrals.closed_ns IS NOT NULL, referrals.priority"
          " + max(min(?5, ifnull(referrals.closed_ns, ?5)) - referrals.opened_ns, 0) / 3.6e12"
          " * referrals.ageing + min(max(min(?5, ifnull(referrals.closed_ns, ?5)) - "
          "referrals.opened_ns, 0) / 3.6e12, 8.0) * referrals.perishable DESC,"
          " referrals.decision_entry LIMIT ?3 OFFSET ?4")
STATEMENT(COUNT_UNDECIDED_ITEMS,
          "SELECT count(*) FROM items INDEXED BY items_undecided WHERE decision_entry IS NULL")
STATEMENT(COUNT_UNDECIDED_RECORDS,
          "SELECT (SELECT count(*) FROM records INDEXED BY records_free WHERE item IS NULL)"
          " + (SELECT count(*) FROM items INDEXED BY items_undecided JOIN records ON records.item "
          "= items.item"
          " WHERE items.decision_entry IS NULL)")
STATEMENT(COUNT_OPEN_REFERRALS,
          "SELECT count(*) FROM referrals INDEXED BY referrals_open WHERE closed_ns IS NULL")
