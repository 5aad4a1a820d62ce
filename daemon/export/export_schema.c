/* SPDX-License-Identifier: Apache-2.0 */
#include "export/export_publication.h"

const char export_rules[] =
    "Kept: items with a decision in the source, one row each. Coarsened: times to the UTC day of "
    "the decision, waiting to whole hours, probabilities to two decimals, goods codes to the "
    "chapter (two digits). Replaced: identities of items, by keyed pseudonyms of this copy alone, "
    "different ones in items and in goods. Pooled as \"*\": in items, days, sites and modes of "
    "which fewer than k rows agree, and with modes and days the rate of the random arm, which "
    "tells "
    "them (NaN; so is the propensity unless the arm says that it is 1); coded reasons and seizure "
    "classes of fewer than k rows; in "
    "goods, modes with rates, and then chapters and origins of fewer than k rows among those that "
    "agree in "
    "mode, arm, propensity and result, and those that all of these rows have in common; anywhere, "
    "sites, reasons, classes, chapters and "
    "origins that begin as a formula does (= + - @, tab, line end). With every "
    "small cell so many of its smallest neighbours are pooled that the pool has k rows: nothing "
    "follows from totals. Left out: labels, lanes, free text, names and pseudonyms of persons, "
    "officers, publishers and scanners, numbers of records, masses, values, quantities, draws, "
    "ranks, contributions, the entries of the log with their leaves and positions; images unless "
    "they were asked for. Items and goods of fewer than k rows are empty, and images of fewer than "
    "k items."
    " Not prevented: that somebody with "
    "the public log recognises a row of items, which says nothing that the log does not; and that "
    "copies of overlapping sources are compared";

/* ---- what the tables of a copy have ---- */

#define COLUMNS(array) \
    .columns = (array), .columns_count = (uint32_t)(sizeof(array) / sizeof(array)[0])

static const struct archive_column items_columns[] = {
    {"item", H5_TEXT, "", "pseudonym of the item in this copy"},
    {"mode", H5_TEXT, "", "truck, passenger, rail, sea, air, mail; * when pooled"},
    {"day", H5_TEXT, "", "UTC day of the decision; * when pooled"},
    {"site", H5_TEXT, "", "site; * when pooled"},
    {"decision", H5_TEXT, "", "refer, release"},
    {"arm", H5_TEXT, "", "target, random, both, none, cautious"},
    {"propensity", H5_F64, "",
     "probability with which this item was referred by any arm; NaN when pooled"},
    {"random_rate", H5_F64, "", "nominal rate of the random arm; NaN when pooled"},
    {"probability", H5_F64, "", "of the score, two decimals"},
    {"state", H5_TEXT, "", "not_referred; queued, presented, in_exam; or how the referral ended"},
    {"code", H5_TEXT, "", "coded reason of an end without exam; * when pooled"},
    {"exam_level", H5_TEXT, "", "of the outcome that stands; empty without"},
    {"result", H5_TEXT, "", "of the outcome that stands; empty without"},
    {"seizure_class", H5_TEXT, "", "class of what was found; * when pooled"},
    {"waited_h", H5_F64, "h", "from decision to end, whole hours; -1 when open or not referred"},
};

static const struct archive_column goods_columns[] = {
    {"row", H5_TEXT, "", "pseudonym of the row; not that of the item"},
    {"mode", H5_TEXT, "", "truck, passenger, rail, sea, air, mail; * when pooled"},
    {"hs_chapter", H5_TEXT, "", "first two digits of the Harmonized System code; * when pooled"},
    {"origin_country", H5_TEXT, "", "ISO 3166-1 alpha-2; * when pooled"},
    {"referred", H5_U8, "", "1: decided to refer"},
    {"arm", H5_TEXT, "", "target, random, both, none, cautious"},
    {"propensity", H5_F64, "",
     "probability with which it was referred by any arm; NaN when pooled"},
    {"examined", H5_U8, "", "1: an exam concluded (nothing_found, found, partial)"},
    {"found", H5_U8, "", "1: it found something (found, partial)"},
};

static const struct archive_column models_columns[] = {
    {"name", H5_TEXT, "", "appearance/<scanner type>, history, fusion"},
    {"sha256", H5_TEXT, "", "SHA-256 of the model file"},
};

static const struct archive_column metrics_columns[] = {
    {"name", H5_TEXT, "", "name of the metric"},
    {"version", H5_TEXT, "", "version of its definition"},
    {"sha256", H5_TEXT, "", "SHA-256 of the text"},
    {"text", H5_TEXT, "", "the definition itself"},
};

static const struct archive_column sources_columns[] = {
    {"seal_entry", H5_U64, "", "entry archive.seal of the log"},
    {"path", H5_TEXT, "", "sealed file that the rows come from"},
    {"file_bytes", H5_U64, "byte", "its length"},
    {"sha256", H5_TEXT, "", "its SHA-256, as in the seal"},
};

static const struct archive_column images_columns[] = {
    {"item", H5_TEXT, "", "pseudonym of the item in this copy"},
    {"image_index", H5_U64, "", "position within the scan, from 0"},
    {"sha256", H5_TEXT, "", "SHA-256 of the pixels: /images/<sha256>/pixels"},
    {"width", H5_U64, "px", "columns"},
    {"height", H5_U64, "px", "rows"},
    {"bits", H5_U64, "bit", "bits a pixel"},
    {"meaning", H5_TEXT, "", "transmission, display, display-inverted"},
    {"energy", H5_TEXT, "", "single, low, high"},
    {"view", H5_U64, "", "view number"},
    {"scanner_type", H5_TEXT, "", "kind of scanner"},
};

const struct archive_table_spec export_published_tables[PUBLISHED_COUNT] = {
    [PUBLISHED_ITEMS] = {"items", "one row a decided item", COLUMNS(items_columns)},
    [PUBLISHED_GOODS] = {"goods", "one row a decided item with a declaration",
                         COLUMNS(goods_columns)},
    [PUBLISHED_MODELS] = {"models", "models that made the scores", COLUMNS(models_columns)},
    [PUBLISHED_METRICS] = {"metrics", "definitions of the published metrics",
                           COLUMNS(metrics_columns)},
    [PUBLISHED_SOURCES] = {"sources", "sealed files that the rows come from",
                           COLUMNS(sources_columns)},
    [PUBLISHED_IMAGES] = {"images_of_items", "images that were asked for", COLUMNS(images_columns)},
};
