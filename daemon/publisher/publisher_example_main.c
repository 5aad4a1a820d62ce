/* SPDX-License-Identifier: Apache-2.0 */
/* The smallest adapter: sends one declaration and one scan of the same container, and waits until
 * both are durable. Build:
 *   cc publisher_example.c $(pkg-config --cflags --libs triage-publisher) -o publisher_example */
#include <stdio.h>

#include <triage_publisher.h>

static const struct item_key key = {.scheme = KEY_CONTAINER, .value = "CSQU3054383"};
static const struct goods_line line = {.hs_code = "610910",
                                       .description = "T-shirts of cotton",
                                       .origin_country = "BD",
                                       .net_mass_kg = 11200,
                                       .value = 84000,
                                       .currency = "EUR",
                                       .quantity = 40000,
                                       .quantity_unit = "NAR"};
static const struct declaration declaration = {.declaration_id = "EX-2026-000001",
                                               .mode = MODE_TRUCK,
                                               .site = "south",
                                               .lane = "3",
                                               .keys = &key,
                                               .keys_count = 1,
                                               .declared_ns = INT64_C(1790000000000000000),
                                               .lines = &line,
                                               .lines_count = 1,
                                               .importer = "Importer Ltd",
                                               .seller = "",
                                               .declarant = "",
                                               .courier = "",
                                               .departure_country = "BD",
                                               .gross_mass_kg = 13100,
                                               .raw_format = "example"};
static const struct image image = {.width = 640,
                                   .height = 160,
                                   .bits = 16,
                                   .meaning = PIXEL_TRANSMISSION,
                                   .energy = ENERGY_SINGLE,
                                   .energy_kev = 6000,
                                   .air_level = 60000};
static const struct scan scan = {.scan_id = "EX-SCAN-1",
                                 .mode = MODE_TRUCK,
                                 .site = "south",
                                 .lane = "3",
                                 .scanner = "portal-3",
                                 .scanner_type = "container-portal",
                                 .keys = &key,
                                 .keys_count = 1,
                                 .acquired_ns = INT64_C(1790000060000000000),
                                 .images = &image,
                                 .images_count = 1};
static const uint16_t pixels[160 * 640] = {0}; /* the detector's counts; here nothing passed */

static void tell_refusal(void *arg, uint64_t sequence, const char *name, const char *reason)
{
    (void)arg;
    (void)fprintf(stderr, "record %llu was refused: %s: %s\n", (unsigned long long)sequence, name,
                  reason);
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        (void)fprintf(stderr, "usage: %s ENDPOINT KEY_FILE DAEMON_KEY_FILE SPOOL_DIRECTORY\n",
                      argv[0]);
        return 2;
    }
    struct triage_publisher_conf conf = {.endpoint = argv[1],
                                         .stream = "example",
                                         .software = "publisher_example/1",
                                         .key_file = argv[2],
                                         .daemon_key_file = argv[3],
                                         .spool_directory = argv[4],
                                         .spool_bytes_max = UINT64_C(1) << 30,
                                         .on_refusal = tell_refusal};
    struct triage_publisher *publisher = NULL;
    char error[256];
    if (triage_publisher_open(&conf, &publisher, error) != TRIAGE_PUBLISHER_OK) {
        (void)fprintf(stderr, "cannot open: %s\n", error);
        return 1;
    }
    const void *images[1] = {pixels};
    /* Once these return OK the records survive this process: the next run sends what this one could
     * not. */
    int failed =
        triage_publisher_declaration(publisher, &declaration, NULL) != TRIAGE_PUBLISHER_OK ||
        triage_publisher_scan(publisher, &scan, images, NULL) != TRIAGE_PUBLISHER_OK ||
        triage_publisher_drain(publisher, 0, 10000) != TRIAGE_PUBLISHER_OK;
    struct triage_publisher_counts counts;
    triage_publisher_counts(publisher, &counts);
    (void)printf("%llu records acknowledged, %llu of them refused, %llu wait: %s\n",
                 (unsigned long long)counts.acknowledged, (unsigned long long)counts.refused,
                 (unsigned long long)counts.waiting,
                 failed ? triage_publisher_error(publisher) : "done");
    triage_publisher_close(&publisher);
    return failed;
}
