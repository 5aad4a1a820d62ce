/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/archive_table.h"

/* The columns of every table, in the order in which archive_rows.c puts the cells. FORMAT.md
 * repeats them. */

#define COLUMNS(array) \
    .columns = (array), .columns_count = (uint32_t)(sizeof(array) / sizeof(array)[0])

static const struct archive_column entries_columns[] = {
    {"n", H5_U64, "", "index of the entry in the log"},
    {"t_ns", H5_I64, "ns", "time of the commit, UTC, since 1970-01-01"},
    {"t_utc", H5_TEXT, "", "the same, ISO 8601"},
    {"type", H5_TEXT, "", "type of the entry"},
    {"id", H5_TEXT, "", "UUIDv7 of the entry, hexadecimal"},
    {"item", H5_TEXT, "", "item that the entry speaks of, hexadecimal; empty when none"},
};

static const struct archive_column items_columns[] = {
    {"item", H5_TEXT, "", "item, hexadecimal"},
    {"mode", H5_TEXT, "", "truck, passenger, rail, sea, air, mail; empty when not known"},
    {"site", H5_TEXT, "", "site"},
    {"lane", H5_TEXT, "", "lane"},
    {"scans_count", H5_U64, "", "scans of this item in this file"},
    {"images_count", H5_U64, "", "their images"},
    {"declarations_count", H5_U64, "", "declarations of this item in this file"},
    {"first_ns", H5_I64, "ns",
     "commit of its first record in this file, UTC, since 1970-01-01; 0 when there is none"},
    {"first_utc", H5_TEXT, "", "the same, ISO 8601"},
    {"score_entry_index", H5_U64, "", "its newest score in this file; 0 when there is none"},
    {"decision_entry_index", H5_U64, "", "its newest decision in this file; 0 when there is none"},
    {"outcome_entry_index", H5_U64, "", "its newest outcome in this file; 0 when there is none"},
    {"decided_ns", H5_I64, "ns", "commit of that decision, UTC, since 1970-01-01; 0 when none"},
    {"decided_utc", H5_TEXT, "", "the same, ISO 8601"},
    {"state", H5_TEXT, "",
     "not_referred; queued, presented, in_exam; or how the referral ended: outcome, waived, "
     "not_presented, expired, returned, transferred; empty when this file does not tell"},
    {"code", H5_TEXT, "", "coded reason of an end without exam"},
    {"claimed_ns", H5_I64, "ns", "newest claim in this file, UTC, since 1970-01-01; 0 when none"},
    {"claimed_utc", H5_TEXT, "", "the same, ISO 8601"},
    {"closed_ns", H5_I64, "ns", "end of the referral, UTC, since 1970-01-01; 0 when open or none"},
    {"closed_utc", H5_TEXT, "", "the same, ISO 8601"},
    {"open", H5_U8, "", "1: referred, and not ended by the last entry of this file"},
    {"age_s", H5_F64, "s",
     "from decision to end, or to the last entry of this file; 0 without decision in it"},
    {"known_until", H5_U64, "", "last entry of this file: later ones may say more of the item"},
};

static const struct archive_column scans_columns[] = {
    {"entry_index", H5_U64, "", "entry scan.received"},
    {"scan_id", H5_TEXT, "", "the scanner's own number of this scan"},
    {"item", H5_TEXT, "", "item it was joined to; empty when not known within this file"},
    {"mode", H5_TEXT, "", "truck, passenger, rail, sea, air, mail"},
    {"site", H5_TEXT, "", "site"},
    {"lane", H5_TEXT, "", "lane"},
    {"scanner", H5_TEXT, "", "scanner"},
    {"scanner_type", H5_TEXT, "", "kind of scanner; picks the appearance model"},
    {"acquired_ns", H5_I64, "ns", "time of the acquisition, UTC, since 1970-01-01"},
    {"acquired_utc", H5_TEXT, "", "the same, ISO 8601"},
    {"first_image", H5_U64, "", "row of its first image in scan_images"},
    {"images_count", H5_U64, "", "number of its images"},
};

static const struct archive_column scan_images_columns[] = {
    {"entry_index", H5_U64, "", "entry scan.received"},
    {"image_index", H5_U64, "", "position within the scan, from 0"},
    {"sha256", H5_TEXT, "", "SHA-256 of the pixels: /images/<sha256>/pixels"},
    {"width", H5_U64, "px", "columns"},
    {"height", H5_U64, "px", "rows"},
    {"bits", H5_U64, "bit", "bits a pixel"},
    {"meaning", H5_TEXT, "", "transmission, display, display-inverted"},
    {"energy", H5_TEXT, "", "single, low, high"},
    {"view", H5_U64, "", "view number"},
    {"pixel_pitch_mm", H5_F64, "mm", "at the object; 0 when unknown"},
    {"air_level", H5_U64, "", "counts of full transmission; 0 when unknown"},
    {"dark_level", H5_U64, "", "counts of no transmission"},
};

static const struct archive_column calibration_columns[] = {
    {"entry_index", H5_U64, "", "entry scan.received"},
    {"image_index", H5_U64, "", "position within the scan, from 0"},
    {"sha256", H5_TEXT, "", "SHA-256 of the pixels: /images/<sha256>/pixels"},
    {"scanner", H5_TEXT, "", "scanner"},
    {"scanner_type", H5_TEXT, "", "kind of scanner"},
    {"acquired_ns", H5_I64, "ns", "time of the acquisition, UTC, since 1970-01-01"},
    {"acquired_utc", H5_TEXT, "", "the same, ISO 8601"},
    {"body_present", H5_U8, "",
     "0: the scan record was no longer held when this file was built; the cells right of it are 0"},
    {"energy_kev", H5_F64, "keV", "end-point energy; 0 when the scanner did not say"},
    {"pixel_pitch_mm", H5_F64, "mm", "at the object; 0 when the scanner did not say"},
    {"air_level", H5_U64, "count", "level of full transmission; 0 when the scanner did not say"},
    {"dark_level", H5_U64, "count", "level of no transmission"},
};

static const struct archive_column declarations_columns[] = {
    {"entry_index", H5_U64, "", "entry declaration.received"},
    {"declaration_id", H5_TEXT, "", "keyed pseudonym of the declaration's number"},
    {"item", H5_TEXT, "", "item it was joined to; empty when not known within this file"},
    {"mode", H5_TEXT, "", "truck, passenger, rail, sea, air, mail"},
    {"site", H5_TEXT, "", "site"},
    {"lane", H5_TEXT, "", "lane"},
    {"body_present", H5_U8, "",
     "0: the record was no longer held when this file was built; what is right of it is empty"},
    {"declared_ns", H5_I64, "ns", "time of the declaration, UTC, since 1970-01-01"},
    {"declared_utc", H5_TEXT, "", "the same, ISO 8601"},
    {"lines_count", H5_U64, "", "goods lines"},
    {"hs_code", H5_TEXT, "", "Harmonized System code of the first line"},
    {"origin_country", H5_TEXT, "", "country of origin of the first line, ISO 3166-1 alpha-2"},
    {"departure_country", H5_TEXT, "", "country of departure, ISO 3166-1 alpha-2"},
    {"net_mass_kg", H5_F64, "kg", "net mass, sum of the lines"},
    {"gross_mass_kg", H5_F64, "kg", "gross mass"},
    {"value", H5_F64, "", "declared value, sum of the lines in the currency of the first"},
    {"currency", H5_TEXT, "", "currency of the first line, ISO 4217"},
    {"declared_empty", H5_U8, "", "1: declared as empty"},
    {"importer", H5_TEXT, "", "keyed pseudonym"},
    {"seller", H5_TEXT, "", "keyed pseudonym"},
    {"declarant", H5_TEXT, "", "keyed pseudonym"},
    {"courier", H5_TEXT, "", "keyed pseudonym"},
};

static const struct archive_column scores_columns[] = {
    {"entry_index", H5_U64, "", "entry score"},
    {"item", H5_TEXT, "", "item"},
    {"probability", H5_F64, "", "sigmoid of logit"},
    {"logit", H5_F64, "", "sum of the contributions"},
    {"quality", H5_F64, "", "quality of the inputs, 0..1, kept apart from risk"},
    {"grave", H5_F64, "",
     "probability of a grave find, for the order of the queue; 0: no model tells"},
    {"unscorable", H5_TEXT, "", "why there is no score; empty when there is one"},
    {"models", H5_TEXT, "", "name=sha256;name=sha256 of the models that made it"},
};

static const struct archive_column contributions_columns[] = {
    {"score_entry_index", H5_U64, "", "entry score"},
    {"name", H5_TEXT, "", "part of the score"},
    {"logit", H5_F64, "", "its addend"},
    {"words", H5_TEXT, "", "the reason as an officer reads it"},
};

static const struct archive_column score_inputs_columns[] = {
    {"score_entry_index", H5_U64, "", "entry score"},
    {"model", H5_TEXT, "", "model that was given the number, as in scores/models"},
    {"position", H5_U64, "", "its place in the order of the model's text `inputs`, from 0"},
    {"value", H5_F64, "", "a float, widened; NaN: not there"},
};

static const struct archive_column shadow_scores_columns[] = {
    {"entry_index", H5_U64, "", "entry shadow.score"},
    {"item", H5_TEXT, "", "item"},
    {"place", H5_TEXT, "", "place of the model in shadow: history, fusion, appearance/..."},
    {"sha256", H5_TEXT, "", "SHA-256 of its file"},
    {"probability", H5_F64, "", "sigmoid of logit; nothing was decided by it"},
    {"logit", H5_F64, "", "sum of the contributions, which stand in the entry"},
    {"quality", H5_F64, "", "quality of the inputs, 0..1"},
    {"unscorable", H5_TEXT, "", "why there is no score; empty when there is one"},
    {"models", H5_TEXT, "", "name=sha256;name=sha256 of the models that made it"},
};

static const struct archive_column shadow_inputs_columns[] = {
    {"shadow_entry_index", H5_U64, "", "entry shadow.score"},
    {"model", H5_TEXT, "", "model that was given the number, as in shadow_scores/models"},
    {"position", H5_U64, "", "its place in the order of the model's text `inputs`, from 0"},
    {"value", H5_F64, "", "a float, widened; NaN: not there"},
};

static const struct archive_column regions_columns[] = {
    {"score_entry_index", H5_U64, "", "entry score"},
    {"image_index", H5_U64, "", "image of the item, from 0"},
    {"x", H5_U64, "px", "left edge"},
    {"y", H5_U64, "px", "upper edge"},
    {"width", H5_U64, "px", "columns"},
    {"height", H5_U64, "px", "rows"},
    {"score", H5_F64, "", "anomaly score of the region"},
};

static const struct archive_column decisions_columns[] = {
    {"entry_index", H5_U64, "", "entry referral.decision"},
    {"t_ns", H5_I64, "ns", "time of the commit, UTC, since 1970-01-01"},
    {"t_utc", H5_TEXT, "", "the same, ISO 8601"},
    {"item", H5_TEXT, "", "item"},
    {"decision", H5_TEXT, "", "refer, release"},
    {"arm", H5_TEXT, "", "target, random, both, none, cautious"},
    {"propensity", H5_F64, "", "probability with which this item was referred by any arm"},
    {"random_rate", H5_F64, "", "nominal rate of the random arm in the item's stratum"},
    {"probability", H5_F64, "", "as in the score"},
    {"cutoff", H5_F64, "", "of the target arm at this moment"},
    {"priority", H5_F64, "", "order in the queue, highest first"},
    {"capacity_per_hour", H5_F64, "1/h", "exams the site can do"},
    {"arrivals_per_hour", H5_F64, "1/h", "items that arrive"},
    {"rank", H5_U64, "", "among the items of the site and mode in the window, 1 is highest"},
    {"window_count", H5_U64, "", "items in the window"},
    {"policy_sha256", H5_TEXT, "", "policy in force"},
    {"draw_scheme", H5_TEXT, "", "pseudo-random function of the random arm"},
    {"draw", H5_TEXT, "", "its output for this item, hexadecimal"},
    {"draw_day", H5_TEXT, "", "day whose key was used"},
    {"draw_stratum", H5_TEXT, "", "stratum that the rate belongs to"},
    {"mode", H5_TEXT, "", "truck, passenger, rail, sea, air, mail"},
    {"site", H5_TEXT, "", "site"},
    {"lane", H5_TEXT, "", "lane"},
    {"label", H5_TEXT, "", "what the officer saw"},
    {"hold_ended_by", H5_TEXT, "", "complete, deadline"},
};

static const struct archive_column decision_reasons_columns[] = {
    {"decision_entry_index", H5_U64, "", "entry referral.decision"},
    {"position", H5_U64, "", "order as shown, from 0"},
    {"words", H5_TEXT, "", "the reason as an officer reads it"},
};

static const struct archive_column referral_events_columns[] = {
    {"entry_index", H5_U64, "", "entry officer.action"},
    {"t_ns", H5_I64, "ns", "time of the commit, UTC, since 1970-01-01"},
    {"t_utc", H5_TEXT, "", "the same, ISO 8601"},
    {"item", H5_TEXT, "", "item"},
    {"action", H5_TEXT, "", "claim, release, refer; expire: by the daemon"},
    {"code", H5_TEXT, "", "coded reason of a release"},
    {"to_state", H5_TEXT, "", "state of the referral after it"},
    {"actor", H5_TEXT, "", "daemon, or the keyed pseudonym of an officer"},
    {"version", H5_U64, "", "version of the referral after it"},
    {"ends", H5_U8, "", "1: the referral ended with it"},
    {"waited_s", H5_F64, "s", "since the item's decision; -1 when that is not in this file"},
};

static const struct archive_column outcomes_columns[] = {
    {"entry_index", H5_U64, "", "entry outcome"},
    {"t_ns", H5_I64, "ns", "time of the commit, UTC, since 1970-01-01"},
    {"t_utc", H5_TEXT, "", "the same, ISO 8601"},
    {"item", H5_TEXT, "", "item"},
    {"exam_level", H5_TEXT, "", "document, nii, canine, tailgate, partial, full"},
    {"result", H5_TEXT, "", "nothing_found, found, partial, abandoned, returned_to_sender"},
    {"seizure_class", H5_TEXT, "", "class of what was found"},
    {"quantity", H5_F64, "", "how much was found, in `unit`"},
    {"unit", H5_TEXT, "", "unit of quantity"},
    {"has_region", H5_U8, "",
     "1: the officer marked where it was; the region cells to the right hold"},
    {"image_index", H5_U64, "", "image of the item, from 0"},
    {"region_x", H5_U64, "px", "left edge"},
    {"region_y", H5_U64, "px", "upper edge"},
    {"region_width", H5_U64, "px", "columns"},
    {"region_height", H5_U64, "px", "rows"},
    {"actor", H5_TEXT, "", "keyed pseudonym of an officer"},
    {"version", H5_U64, "", "version of the referral after it"},
    {"again", H5_TEXT, "", "empty: the item's first outcome; second_exam, correction"},
    {"code", H5_TEXT, "", "coded reason of a correction"},
    {"corrects", H5_U64, "", "a correction: entry_index of the outcome that it replaces; else 0"},
    {"aside", H5_U8, "",
     "1: an older outcome goes on speaking for the item; the newest with 0 is the item's"},
    {"waited_s", H5_F64, "s", "since the item's decision; -1 when that is not in this file"},
};

static const struct archive_column refusals_columns[] = {
    {"entry_index", H5_U64, "", "entry record.refused"},
    {"publisher", H5_TEXT, "", "publisher"},
    {"stream", H5_TEXT, "", "its stream"},
    {"sequence", H5_U64, "", "number of the record in the stream"},
    {"code", H5_U64, "", "code of the refusal, proto/PROTOCOL.md"},
    {"name", H5_TEXT, "", "name of the refusal"},
    {"reason", H5_TEXT, "", "the reason in words"},
    {"sha256", H5_TEXT, "", "keyed digest of what was received"},
};

static const struct archive_column models_columns[] = {
    {"name", H5_TEXT, "", "appearance/<scanner type>, history, fusion; shadow/...: in shadow"},
    {"sha256", H5_TEXT, "", "SHA-256 of the model file"},
    {"entry_index", H5_U64, "", "entry model.change in this file; 0 when put in force before"},
    {"installed_ns", H5_I64, "ns", "its commit, UTC, since 1970-01-01; 0 when not in this file"},
    {"installed_utc", H5_TEXT, "", "the same, ISO 8601"},
    {"file_bytes", H5_U64, "byte", "length of the model file; 0 when put in force before"},
    {"evaluation", H5_TEXT, "", "figures of its evaluation, as the entry states them"},
    {"scores_count", H5_U64, "", "scores of this file that it made"},
};

static const struct archive_column metrics_columns[] = {
    {"name", H5_TEXT, "", "name of the metric"},
    {"version", H5_TEXT, "", "version of its definition"},
    {"definition", H5_TEXT, "", "what it counts, in words"},
    {"numerator", H5_TEXT, "", "what is counted above the line"},
    {"denominator", H5_TEXT, "", "what is counted below the line"},
    {"sha256", H5_TEXT, "", "SHA-256 of the text"},
    {"text", H5_TEXT, "", "the definition itself: the metric's file"},
};

const struct archive_table_spec archive_tables[TABLE_COUNT] = {
    [TABLE_ENTRIES] = {"entries", "every entry of the range, as it stands in the log",
                       COLUMNS(entries_columns)},
    [TABLE_ITEMS] = {"items", "one row an item that entries of the range speak of",
                     COLUMNS(items_columns)},
    [TABLE_SCANS] = {"scans", "one row a scan", COLUMNS(scans_columns)},
    [TABLE_SCAN_IMAGES] = {"scan_images", "one row an image of a scan",
                           COLUMNS(scan_images_columns)},
    [TABLE_CALIBRATION] = {"calibration", "what the scanner said of its scale, for every image",
                           COLUMNS(calibration_columns)},
    [TABLE_DECLARATIONS] = {"declarations", "one row a declaration; persons as keyed pseudonyms",
                            COLUMNS(declarations_columns)},
    [TABLE_SCORES] = {"scores", "one row a score", COLUMNS(scores_columns)},
    [TABLE_CONTRIBUTIONS] = {"contributions", "the addends of every score",
                             COLUMNS(contributions_columns)},
    [TABLE_SCORE_INPUTS] = {"score_inputs", "the numbers that the models of every score were given",
                            COLUMNS(score_inputs_columns)},
    [TABLE_SHADOW_SCORES] = {"shadow_scores",
                             "what a model in shadow said; nothing was decided by it",
                             COLUMNS(shadow_scores_columns)},
    [TABLE_SHADOW_INPUTS] = {"shadow_inputs",
                             "the numbers that the models of every score in shadow were given",
                             COLUMNS(shadow_inputs_columns)},
    [TABLE_REGIONS] = {"regions", "anomalous regions of every score", COLUMNS(regions_columns)},
    [TABLE_DECISIONS] = {"decisions", "one row a decision", COLUMNS(decisions_columns)},
    [TABLE_DECISION_REASONS] = {"decision_reasons", "the reasons of every decision",
                                COLUMNS(decision_reasons_columns)},
    [TABLE_REFERRAL_EVENTS] = {"referral_events", "what officers did with referrals",
                               COLUMNS(referral_events_columns)},
    [TABLE_OUTCOMES] = {"outcomes", "what exams found", COLUMNS(outcomes_columns)},
    [TABLE_REFUSALS] = {"refusals", "records that were refused", COLUMNS(refusals_columns)},
    [TABLE_MODELS] = {"models", "models put in force in the range, or used by its scores",
                      COLUMNS(models_columns)},
    [TABLE_METRICS] = {"metrics", "definitions of the published metrics when the file was sealed",
                       COLUMNS(metrics_columns)},
};
