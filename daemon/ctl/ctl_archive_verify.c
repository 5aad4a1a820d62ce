/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/ctl.h"

#include <string.h>

#include <jansson.h>

#include "archive/archive.h"
#include "ctl/archive_seals.h"
#include "ctl/json_text.h"
#include "ctl/log_source.h"
#include "ctl/rows.h"

/* The checks of triage-verify on single files, against the log of this store: length and digest of
 * the seal before anything else (a file that is another one is never opened as HDF5), then every
 * entry against the log byte for byte, every image against its digest. */

struct one_option {
    const char *text;
};

static error_t parse_one(int key, char *text, struct argp_state *state)
{
    struct one_option *option = state->input;
    if (key != ARGP_KEY_ARG) {
        return ARGP_ERR_UNKNOWN;
    }
    if (option->text != NULL) {
        argp_error(state, "one FILE or DAY at a time");
    }
    option->text = text;
    return 0;
}

#define FAULT_BYTES 256u

/* What is wrong goes into fault, "" when nothing is; errors are of reading the log. */
static struct err check_entries(struct log_source *log, const json_t *seal,
                                struct archive_file *file, char fault[FAULT_BYTES])
{
    uint64_t first = (uint64_t)member_integer(seal, "first_index");
    uint64_t last = (uint64_t)member_integer(seal, "last_index");
    struct err err = log_source_seek(log, first);
    for (uint64_t i = first; i <= last && !err_is(err) && fault[0] == '\0'; i++) {
        struct log_bytes in_log;
        const uint8_t *bytes = NULL;
        uint32_t bytes_count = 0;
        bool got = false;
        err = log_source_next(log, &in_log, &got);
        if (err_is(err)) {
            break;
        }
        if (!got || err_is(archive_file_entry(file, i, &bytes, &bytes_count)) ||
            in_log.bytes_count != bytes_count || memcmp(in_log.bytes, bytes, bytes_count) != 0) {
            (void)snprintf(fault, FAULT_BYTES, "entry %llu is not the one in the log",
                           (unsigned long long)i);
        }
    }
    return err;
}

static void check_inside(const json_t *seal, struct archive_file *file, char fault[FAULT_BYTES])
{
    struct archive_summary summary;
    uint64_t images = 0;
    uint64_t entries = 0;
    char bad_path[128] = "";
    char text[ERR_TEXT_BYTES];
    struct err err = archive_file_summary(file, &summary);
    if (!err_is(err)) {
        err = archive_file_check(file, &images, &entries, bad_path);
    }
    if (err_is(err)) {
        (void)snprintf(fault, FAULT_BYTES, "%.200s", err_text(err, text));
    } else if (bad_path[0] != '\0') {
        (void)snprintf(fault, FAULT_BYTES, "%s is not what its digest says", bad_path);
    } else if (summary.first_index != (uint64_t)member_integer(seal, "first_index") ||
               summary.last_index != (uint64_t)member_integer(seal, "last_index")) {
        (void)snprintf(fault, FAULT_BYTES, "holds another range than its seal says");
    }
}

static struct err check_file(const char *archive, const json_t *seal, struct log_source *log,
                             char fault[FAULT_BYTES])
{
    char path[DURABLE_PATH_BYTES];
    char hex[HASH_HEX_BYTES];
    uint8_t sha256[HASH_BYTES];
    uint64_t file_bytes = 0;
    struct archive_file *file = NULL;
    const char *state = archive_seal_state(archive, seal, path);
    fault[0] = '\0';
    if (strcmp(state, "present") != 0) {
        (void)snprintf(fault, FAULT_BYTES, "%s", state);
        return err_none;
    }
    if (err_is(archive_hash_file(path, sha256, &file_bytes))) {
        (void)snprintf(fault, FAULT_BYTES, "cannot be read");
        return err_none;
    }
    hex_encode(sha256, HASH_BYTES, hex);
    if (strcmp(hex, member_text(seal, "sha256")) != 0) {
        (void)snprintf(fault, FAULT_BYTES, "SHA-256 is not that of its seal");
        return err_none;
    }
    if (err_is(archive_file_open(path, &file))) {
        (void)snprintf(fault, FAULT_BYTES, "cannot be opened");
        return err_none;
    }
    check_inside(seal, file, fault);
    struct err err = fault[0] == '\0' ? check_entries(log, seal, file, fault) : err_none;
    archive_file_close(&file);
    return err;
}

static int verify_all(const struct ctl *ctl, const char *archive, struct log_source *log,
                      json_t *seals)
{
    size_t faults = 0;
    size_t index;
    json_t *seal;
    json_array_foreach(seals, index, seal)
    {
        char fault[FAULT_BYTES];
        struct err err = check_file(archive, seal, log, fault);
        if (err_is(err)) {
            return ctl_fail("read the log", err);
        }
        faults += fault[0] != '\0';
        json_object_set_new(seal, "fault", json_text(fault));
        if (!ctl->json) {
            (void)printf("%s: %s\n", member_text(seal, "path"), fault[0] == '\0' ? "good" : fault);
        }
    }
    if (ctl->json) {
        json_incref(seals);
        int printed = json_print(seals, true);
        return printed == CTL_GOOD && faults > 0 ? CTL_REFUSED : printed;
    }
    (void)printf("%zu files checked, %zu with faults\n", json_array_size(seals), faults);
    return faults == 0 ? CTL_GOOD : CTL_REFUSED;
}

int ctl_archive_verify(struct ctl *ctl, int argc, char **argv)
{
    static const struct argp argp = {
        NULL,
        parse_one,
        "[FILE|DAY]",
        "Checks sealed archive files against their seals and the log: length, SHA-256, every "
        "entry, "
        "every image. All, or one FILE, or those of a DAY (2026-09-21). Exit 1 when one has a "
        "fault.",
        NULL,
        NULL,
        NULL};
    struct one_option option = {NULL};
    char archive[DURABLE_PATH_BYTES];
    struct log_source *log = NULL;
    ctl_parse(ctl, &argp, &option, argc, argv);
    if (!ctl_path(ctl, "archive", archive)) {
        return CTL_REFUSED;
    }
    json_t *seals = archive_seals_find(ctl, option.text);
    if (seals == NULL) {
        return CTL_REFUSED;
    }
    struct err err = log_source_open_store(ctl->conf.store_directory, &log);
    int result = err_is(err) ? ctl_fail("open the log", err) : verify_all(ctl, archive, log, seals);
    log_source_close(&log);
    json_decref(seals);
    return result;
}
