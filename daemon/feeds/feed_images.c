/* SPDX-License-Identifier: Apache-2.0 */
#include "feeds/feed_commands.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/durable.h"
#include "feeds/feed.h"
#include "feeds/feed_watch.h"
#include "feeds/image_folder.h"
#include "feeds/sent_list.h"

/* When following, the names that went into the spool are kept there too (STREAM.sent). A file
 * counts as finished when its size and time were the same in two passes a second apart: copies that
 * keep the old time are caught by their size. */

#define PASS_MS 1000
#define REMEMBER_EVERY 64u

enum { OPTION_LIST = 0x2000, OPTION_SKIP_LIST, OPTION_EVERY, OPTION_OFFSET, OPTION_PIXELS };

struct arguments {
    struct feed_options common; /* first: the child parser's input */
    struct image_folder_conf folder;
};

static const struct argp_option option_table[] = {
    {"list", OPTION_LIST, "FILE", 0, "send only the images named in FILE, one a line", 0},
    {"skip-list", OPTION_SKIP_LIST, "FILE", 0, "leave out the images named in FILE", 0},
    {"every", OPTION_EVERY, "K", 0, "send each K-th scan of what is left, in the order of names",
     0},
    {"offset", OPTION_OFFSET, "J", 0, "with --every: begin with the J-th, from 0", 0},
    {"pixels-max", OPTION_PIXELS, "N", 0, "skip images with more pixels (268435456)", 0},
    {0}};

static error_t parse_option(int key, char *text, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &arguments->common;
        return 0;
    case OPTION_LIST:
        arguments->folder.list_path = text;
        return 0;
    case OPTION_SKIP_LIST:
        arguments->folder.skip_list_path = text;
        return 0;
    case OPTION_EVERY:
        arguments->folder.every = (uint32_t)feed_number(state, "every", text, (double[]){1, 1e6});
        return 0;
    case OPTION_OFFSET:
        arguments->folder.offset = (uint32_t)feed_number(state, "offset", text, (double[]){0, 1e6});
        return 0;
    case OPTION_PIXELS:
        arguments->folder.pixels_max =
            (uint64_t)feed_number(state, "pixels-max", text, (double[]){1, 4294836225.0});
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0) {
            argp_error(state, "one DIR is wanted");
        }
        arguments->folder.directory = text;
        return 0;
    case ARGP_KEY_END:
        if (arguments->folder.directory == NULL) {
            argp_error(state, "a DIR is wanted");
        }
        if (arguments->folder.offset > 0 && arguments->folder.offset >= arguments->folder.every) {
            argp_error(state, "--offset must be below --every");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

struct run {
    struct feed feed;
    const struct arguments *arguments;
    struct sent_list sent;
    uint32_t unremembered;
};

static void send_scan(struct run *self, const struct image_folder *folder, uint32_t index)
{
    char name[DURABLE_PATH_BYTES], why[FOLDER_WHY_BYTES];
    (void)snprintf(name, sizeof name, "%.200s/%.255s", self->arguments->folder.directory,
                   image_folder_name(folder, index));
    struct folder_scan *scan = NULL;
    struct err err = image_folder_read(folder, index, &scan, why);
    if (err_is(err)) {
        feed_skip(&self->feed, name, why);
        return;
    }
    (void)feed_scan(&self->feed, &scan->scan, scan->pixels, name);
    folder_scan_close(&scan);
}

static void keep_sent(struct run *self)
{
    char path[DURABLE_PATH_BYTES];
    if (self->unremembered == 0 || !self->arguments->common.follow ||
        self->arguments->common.dry_run || err_is(feed_state_path(&self->feed, "sent", path))) {
        return;
    }
    struct err err = sent_list_write(&self->sent, path);
    if (err_is(err)) {
        char text[ERR_TEXT_BYTES];
        (void)fprintf(stderr, "triage-feed images: %s: %s\n", path, err_text(err, text));
    }
    self->unremembered = 0;
}

/* Tells whether the scan should go out now, when following. */
static bool is_due(struct run *self, const struct image_folder *folder, uint32_t index)
{
    if (!self->arguments->common.follow) {
        return true;
    }
    int64_t changed_ns;
    uint64_t files_bytes;
    image_folder_stat(folder, index, &changed_ns, &files_bytes);
    return sent_list_due(&self->sent, image_folder_name(folder, index), changed_ns, files_bytes);
}

static struct err send_folder(struct run *self)
{
    struct image_folder *folder = NULL;
    char why[FOLDER_WHY_BYTES];
    struct err err = image_folder_open(&self->arguments->folder, &folder, why);
    if (err_is(err)) {
        feed_skip(&self->feed, self->arguments->folder.directory, why);
        return err;
    }
    uint32_t count = image_folder_count(folder);
    self->feed.total = self->arguments->common.follow ? 0 : count;
    for (uint32_t i = 0; i < count && feed_goes_on(&self->feed); i++) {
        if (!is_due(self, folder, i)) {
            continue;
        }
        send_scan(self, folder, i);
        if (self->feed.broken) {
            break;
        }
        self->feed.done = i + 1;
        if (self->arguments->common.follow) {
            sent_list_mark(&self->sent, image_folder_name(folder, i));
            if (++self->unremembered >= REMEMBER_EVERY) {
                keep_sent(self);
            }
        }
    }
    keep_sent(self);
    image_folder_close(&folder);
    return err_none;
}

static void follow_folder(struct run *self)
{
    char path[DURABLE_PATH_BYTES];
    if (!self->arguments->common.dry_run && !err_is(feed_state_path(&self->feed, "sent", path))) {
        sent_list_read(&self->sent, path);
    }
    struct feed_watch watch;
    feed_watch_init(&watch, self->arguments->folder.directory);
    while (feed_goes_on(&self->feed)) {
        if (err_is(send_folder(self))) {
            break;
        }
        feed_watch_wait(&watch, &self->feed, PASS_MS);
        feed_idle(&self->feed,
                  PASS_MS / 2); /* a busy folder would otherwise be read without pause */
    }
    feed_watch_fini(&watch);
}

int feed_images(int argc, char **argv)
{
    static const struct argp_child children[] = {{&feed_options_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {option_table,
                                     parse_option,
                                     "DIR",
                                     "Send the JPEG, PNG and TIFF files of a folder as scans, in "
                                     "the order of their names.\vA_low.png and "
                                     "A_high.png are one scan with two images, and so are the two "
                                     "pages of a TIFF. FILE.json (or STEM.json) beside "
                                     "an image may say scan_id, mode, site, lane, scanner, "
                                     "scanner_type, keys [{scheme, value}], acquired, other "
                                     "{}, and of the pixels meaning (transmission, display, "
                                     "display-inverted), energy, energy_kev, view, air_level, "
                                     "dark_level, pixel_pitch_mm; \"images\": [{}, {}] says the "
                                     "latter for each image. Without it a file is a "
                                     "display image of single energy, its scan_id is its stem and "
                                     "the beginning of its digest, and it was "
                                     "acquired when the file was last changed. A broken image is "
                                     "told by name with the reason, counted and "
                                     "skipped; the exit code is then 1.",
                                     children,
                                     NULL,
                                     NULL};
    static struct arguments arguments;
    arguments = (struct arguments){.folder = {.pixels_max = UINT64_C(1) << 28}};
    feed_options_init(&arguments.common, "images");
    if (argp_parse(&argp, argc, argv, 0, NULL, &arguments) != 0) {
        return FEED_EXIT_USAGE;
    }
    arguments.folder.mode =
        arguments.common.mode != MODE_UNKNOWN ? arguments.common.mode : MODE_TRUCK;
    arguments.folder.site = arguments.common.site;
    arguments.folder.lane = arguments.common.lane;
    arguments.folder.scanner = arguments.common.scanner;
    arguments.folder.scanner_type = arguments.common.scanner_type;
    struct run run = {.arguments = &arguments};
    if (err_is(feed_open(&run.feed, &arguments.common, "images"))) {
        return FEED_EXIT_UNANSWERED;
    }
    if (arguments.common.follow) {
        follow_folder(&run);
    } else {
        (void)send_folder(&run); /* told and counted as skipped */
    }
    sent_list_fini(&run.sent);
    return feed_finish(&run.feed);
}
