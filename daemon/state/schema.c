/* SPDX-License-Identifier: Apache-2.0 */
#include "state/schema.h"

#include <stddef.h>

/* Indexes are few on purpose: each one costs a page touch per entry on the judge line, and queries
 * of people may scan. The partial ones hold only what is open, so they stay small however long the
 * port runs. */

const char *const state_schema_sql[] = {
    "CREATE TABLE meta(name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;",
    "CREATE TABLE streams(publisher TEXT, stream TEXT, next_sequence INTEGER NOT NULL,"
    " PRIMARY KEY(publisher, stream)) STRICT, WITHOUT ROWID;",
    "CREATE TABLE config(entry INTEGER PRIMARY KEY, t_ns INTEGER, config_sha256 BLOB, "
    "policy_sha256 BLOB,"
    " policy_version TEXT, computing TEXT, arm_hidden INTEGER) STRICT;",
    "CREATE TABLE models(entry INTEGER PRIMARY KEY, t_ns INTEGER, name TEXT, sha256 BLOB, "
    "file_bytes INTEGER,"
    " evaluation TEXT, actor TEXT, reason TEXT, figures TEXT, promoted INTEGER, ended_entry "
    "INTEGER) STRICT;",
    "CREATE TABLE draws(day TEXT PRIMARY KEY, scheme TEXT, commitment BLOB, commit_entry INTEGER,"
    " reveal_entry INTEGER, key BLOB) STRICT, WITHOUT ROWID;",
    "CREATE TABLE draw_rates(day TEXT, stratum TEXT, rate REAL, floor REAL, reason TEXT, PRIMARY "
    "KEY(day, stratum)) STRICT, "
    "WITHOUT ROWID;",

    "CREATE TABLE records(entry INTEGER PRIMARY KEY, id BLOB NOT NULL, t_ns INTEGER, kind TEXT, "
    "mode TEXT,"
    " site TEXT, lane TEXT, publisher TEXT, stream TEXT, sequence INTEGER, record_id TEXT, sha256 "
    "BLOB,"
    " bytes INTEGER, item_key TEXT, join_key TEXT, label TEXT, scanner TEXT, scanner_type TEXT,"
    " acquired_ns INTEGER, item BLOB, late INTEGER NOT NULL DEFAULT 0) STRICT;",
    "CREATE UNIQUE INDEX records_id ON records(id);",
    "CREATE INDEX records_record_id ON records(record_id);",
    "CREATE INDEX records_item ON records(item) WHERE item IS NOT NULL;",
    "CREATE INDEX records_free ON records(entry) WHERE item IS NULL;",
    "CREATE INDEX records_free_key ON records(join_key) WHERE item IS NULL;",
    "CREATE TABLE images(entry INTEGER, position INTEGER, width INTEGER, height INTEGER, bits "
    "INTEGER,"
    " meaning INTEGER, energy TEXT, view INTEGER, payload_bytes INTEGER, sha256 BLOB,"
    " PRIMARY KEY(entry, position)) STRICT, WITHOUT ROWID;",
    "CREATE INDEX images_sha256 ON images(sha256);",

    "CREATE TABLE items(item BLOB PRIMARY KEY, mode TEXT, site TEXT, lane TEXT, join_key TEXT, "
    "label TEXT,"
    " first_ns INTEGER, score_entry INTEGER, decision_entry INTEGER) STRICT, WITHOUT ROWID;",
    "CREATE INDEX items_key ON items(join_key);",
    "CREATE INDEX items_undecided ON items(score_entry) WHERE decision_entry IS NULL;",
    "CREATE TABLE scores(entry INTEGER PRIMARY KEY, id BLOB, item BLOB, t_ns INTEGER, probability "
    "REAL, logit REAL,"
    " quality REAL, unscorable TEXT, grave REAL) STRICT;",
    /* A day of a scanner as far as a median needs it: how often which value. One row a value, not a
     * score: years of a busy scanner are read in a moment. */
    "CREATE TABLE image_quality(scanner TEXT, day INTEGER, figure TEXT, value REAL, images INTEGER,"
    " PRIMARY KEY(scanner, day, figure, value)) STRICT, WITHOUT ROWID;",
    "CREATE TABLE shadow_scores(item BLOB PRIMARY KEY, entry INTEGER, t_ns INTEGER, place TEXT, "
    "sha256 BLOB,"
    " probability REAL, logit REAL, unscorable TEXT) STRICT, WITHOUT ROWID;",
    "CREATE TABLE contributions(score INTEGER, position INTEGER, name TEXT, logit REAL, words TEXT,"
    " PRIMARY KEY(score, position)) STRICT, WITHOUT ROWID;",
    "CREATE TABLE score_models(score INTEGER, position INTEGER, name TEXT, sha256 BLOB,"
    " PRIMARY KEY(score, position)) STRICT, WITHOUT ROWID;",
    "CREATE TABLE regions(score INTEGER, position INTEGER, image_index INTEGER, x INTEGER, y "
    "INTEGER,"
    " width INTEGER, height INTEGER, value REAL, PRIMARY KEY(score, position)) STRICT, WITHOUT "
    "ROWID;",

    "CREATE TABLE decisions(entry INTEGER PRIMARY KEY, id BLOB, item BLOB, t_ns INTEGER, decision "
    "TEXT, arm TEXT,"
    " mode TEXT, site TEXT, lane TEXT, propensity REAL, random_rate REAL, probability REAL, cutoff "
    "REAL,"
    " priority REAL, capacity_per_hour REAL, arrivals_per_hour REAL, rank INTEGER, window_count "
    "INTEGER,"
    " policy_sha256 BLOB, draw_scheme TEXT, draw_day TEXT, draw BLOB, draw_stratum TEXT, "
    "hold_ended_by TEXT,"
    " reasons TEXT) STRICT;",
    "CREATE TABLE referrals(item BLOB PRIMARY KEY, decision_entry INTEGER, state TEXT, version "
    "INTEGER,"
    " actor TEXT, code TEXT, priority REAL, mode TEXT, site TEXT, opened_ns INTEGER, claimed_ns "
    "INTEGER,"
    " closed_ns INTEGER, ageing REAL, perishable REAL, arm TEXT) STRICT, WITHOUT ROWID;",
    "CREATE INDEX referrals_open ON referrals(priority DESC, decision_entry) WHERE closed_ns IS "
    "NULL;",
    "CREATE TABLE actions(entry INTEGER PRIMARY KEY, item BLOB, t_ns INTEGER, actor TEXT, action "
    "TEXT, code TEXT,"
    " to_state TEXT, version INTEGER, request_id TEXT) STRICT;",
    "CREATE INDEX actions_item ON actions(item);",
    "CREATE TABLE outcomes(entry INTEGER PRIMARY KEY, item BLOB, t_ns INTEGER, actor TEXT, "
    "exam_level TEXT,"
    " result TEXT, found INTEGER, seizure_class TEXT, quantity REAL, unit TEXT, has_region INTEGER,"
    " image_index INTEGER, region_x INTEGER, region_y INTEGER, region_width INTEGER, region_height "
    "INTEGER,"
    " version INTEGER, request_id TEXT, again TEXT, code TEXT, corrects INTEGER,"
    " standing INTEGER) STRICT;",
    "CREATE INDEX outcomes_item ON outcomes(item);",
    "CREATE TABLE requests(request_id TEXT PRIMARY KEY, entry INTEGER NOT NULL, what TEXT, item "
    "BLOB, actor TEXT) STRICT, WITHOUT ROWID;",

    "CREATE TABLE operations(name TEXT PRIMARY KEY, entry INTEGER, t_ns INTEGER, actor TEXT, mode "
    "TEXT,"
    " site TEXT, lane TEXT, from_ns INTEGER, to_ns INTEGER, hypothesis TEXT, metric TEXT, "
    "comparator TEXT,"
    " stop_rule TEXT, close_entry INTEGER, closed_ns INTEGER, reason TEXT, numerator INTEGER,"
    " denominator INTEGER, comparator_numerator INTEGER, comparator_denominator INTEGER) STRICT,"
    " WITHOUT ROWID;",

    "CREATE TABLE refusals(entry INTEGER PRIMARY KEY, t_ns INTEGER, publisher TEXT, stream TEXT, "
    "sequence INTEGER,"
    " code INTEGER, name TEXT, reason TEXT, sha256 BLOB, bytes INTEGER, quarantined INTEGER) "
    "STRICT;",
    "CREATE TABLE seals(entry INTEGER PRIMARY KEY, t_ns INTEGER, path TEXT, file_bytes INTEGER, "
    "sha256 BLOB,"
    " first_index INTEGER, last_index INTEGER, hdf5_version TEXT, filters TEXT) STRICT;",
    "CREATE INDEX seals_first ON seals(first_index);",

    "CREATE TABLE copies(path TEXT, place TEXT, entry INTEGER, t_ns INTEGER, file_bytes INTEGER, "
    "sha256 BLOB,"
    " same_device INTEGER, PRIMARY KEY(path, place)) STRICT, WITHOUT ROWID;",
    /* What lies in blobs/, by the entries that name it: rows go when it is discarded. */
    "CREATE TABLE blobs(entry INTEGER, sha256 BLOB, bytes INTEGER, PRIMARY KEY(entry, sha256))"
    " STRICT, WITHOUT ROWID;",
    "CREATE INDEX blobs_sha256 ON blobs(sha256);",
    "CREATE TABLE discards(sha256 BLOB PRIMARY KEY, entry INTEGER, t_ns INTEGER, kept_in TEXT)"
    " STRICT, WITHOUT ROWID;",
    "CREATE INDEX discards_entry ON discards(entry);",
    "CREATE TABLE holds(item BLOB PRIMARY KEY, entry INTEGER, t_ns INTEGER, actor TEXT, reason "
    "TEXT) STRICT,"
    " WITHOUT ROWID;",
    "CREATE TABLE redactions(redact_entry INTEGER, entry INTEGER, t_ns INTEGER,"
    " PRIMARY KEY(redact_entry, entry)) STRICT, WITHOUT ROWID;",
    "CREATE INDEX redactions_entry ON redactions(entry);",
    "CREATE TABLE redacted_digests(digest BLOB PRIMARY KEY, redact_entry INTEGER) STRICT, WITHOUT "
    "ROWID;",
    NULL,
};
