/* SPDX-License-Identifier: Apache-2.0 */
#include "feeds/sim_world.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "feeds/sim_scanner.h"

/* Every item has random streams of its own, one for each purpose: switching a knob (say, no
 * contraband) leaves everything else about the items as it was, so that two runs differ in that
 * knob alone. */

enum stream {
    STREAM_PLAN,
    STREAM_SCENE,
    STREAM_ODDITY,
    STREAM_HIDE,
    STREAM_DECLARE,
    STREAM_NOISE,
    STREAM_COUNT
};

#define PAST_STREAMS (UINT64_C(1) << 56)
#define WON_PER_EUR 1400.0 /* values are told in KRW, as in the table that history learns from */
#define EMPTY_SHARE 0.15
#define YEAR_NS (INT64_C(365) * 86400 * NS_PER_S)

struct sim_world {
    struct sim_conf conf;
    struct sim_scanner *scanners[MODE_COUNT]; /* opened when first needed */
    struct sim_scene scene;
    struct sim_vehicle vehicle;
    uint16_t *pixels;
    size_t pixels_capacity;
};

struct plan {
    enum mode mode;
    const struct sim_goods *goods;
    const char *origin;
    const char *departure;
    bool empty;
    bool contraband;
    bool misdeclared;
    bool oddity;
    bool scanned;
};

static bool ranges_good(const struct sim_conf *conf)
{
    const double *density = conf->cargo_density, *mass_kg = conf->bricks_kg;
    bool density_good = density[0] >= 0.05 && density[0] <= density[1] && density[1] <= 1.5;
    bool mass_good = mass_kg[0] >= 1 && mass_kg[0] <= mass_kg[1] && mass_kg[1] <= 500;
    return (conf->mixed_rate <= 0 || density_good) && (mass_kg[1] <= 0 || mass_good);
}

struct err sim_world_open(const struct sim_conf *conf, struct sim_world **out)
{
    must(conf != NULL && out != NULL);
    double weights = 0;
    for (int mode = 0; mode < MODE_COUNT; mode++) {
        if (!(conf->mode_weights[mode] >= 0)) {
            return err_make(ERR_ARGUMENT, "open simulated port");
        }
        weights += conf->mode_weights[mode];
    }
    if (!(weights > 0) || conf->mode_weights[MODE_UNKNOWN] > 0 || !(conf->scale > 0) ||
        !(conf->mail_scale > 0) || !(conf->mail_declarations_per_scan >= 1) || !ranges_good(conf)) {
        return err_make(ERR_ARGUMENT, "open simulated port");
    }
    struct sim_world *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "open simulated port");
    }
    self->conf = *conf;
    *out = self;
    return err_none;
}

void sim_world_close(struct sim_world **self)
{
    if (*self == NULL) {
        return;
    }
    for (int mode = 0; mode < MODE_COUNT; mode++) {
        sim_scanner_close(&(*self)->scanners[mode]);
    }
    free((*self)->pixels);
    free(*self);
    *self = NULL;
}

static enum mode draw_mode(const struct sim_conf *conf, struct rng *rng)
{
    double sum = 0;
    for (int mode = 0; mode < MODE_COUNT; mode++) {
        sum += conf->mode_weights[mode];
    }
    double at = rng_uniform(rng) * sum;
    int last = MODE_TRUCK;
    for (int mode = 0; mode < MODE_COUNT; mode++) {
        if (conf->mode_weights[mode] > 0) {
            last = mode;
            if (at < conf->mode_weights[mode]) {
                break;
            }
            at -= conf->mode_weights[mode];
        }
    }
    return (enum mode)last;
}

static double chance(double rate, double propensity)
{
    double p = rate * propensity;
    return p < 0.9 ? p : 0.9;
}

/* Everything that is decided about an item before anything is drawn. The number of draws never
 * depends on the knobs. */
static struct plan make_plan(const struct sim_conf *conf, struct rng *rng,
                             struct sim_parties *parties)
{
    static const char *const hubs[] = {"AE", "SG", "NL", "PA"};
    struct plan plan = {.mode = draw_mode(conf, rng)};
    sim_parties_draw(conf->seed, plan.mode, rng, parties);
    plan.goods = sim_goods_draw(plan.mode, rng);
    plan.origin = plan.goods->origins[rng_below(rng, 3)];
    const char *hub = hubs[rng_below(rng, 4)];
    plan.departure = rng_uniform(rng) < 0.12 ? hub : plan.origin;
    bool can_be_empty = plan.mode != MODE_MAIL && plan.mode != MODE_PASSENGER;
    plan.empty = rng_uniform(rng) < EMPTY_SHARE && can_be_empty;
    plan.contraband = rng_uniform(rng) < chance(conf->contraband_rate, parties->propensity);
    plan.misdeclared = rng_uniform(rng) < chance(conf->misdeclare_rate, parties->propensity);
    plan.oddity = rng_uniform(rng) < conf->oddity_rate;
    double scan_at = rng_uniform(rng);
    bool drawn = plan.mode != MODE_MAIL || scan_at * conf->mail_declarations_per_scan < 1;
    plan.scanned = (drawn && conf->scans != SIM_SCANS_NONE) || conf->scans == SIM_SCANS_ALL;
    return plan;
}

static struct rng stream_of(const struct sim_world *self, uint64_t index, enum stream stream)
{
    struct rng rng;
    rng_init(&rng, self->conf.seed, index * STREAM_COUNT + stream);
    return rng;
}

static bool can_be_mixed(enum mode mode)
{
    return mode == MODE_TRUCK || mode == MODE_SEA || mode == MODE_RAIL;
}

static void stow(struct sim_world *self, const struct plan *plan, struct rng *rng,
                 struct sim_truth *truth)
{
    const struct sim_conf *conf = &self->conf;
    if (can_be_mixed(plan->mode) && conf->mixed_rate > 0 && rng_uniform(rng) < conf->mixed_rate) {
        truth->cargo_density = sim_between(rng, conf->cargo_density[0], conf->cargo_density[1]);
        const struct sim_mixture mixture = {plan->mode, truth->cargo_density, conf->parcels_share};
        sim_mixed_stow(&mixture, &self->vehicle.hold, rng, &self->scene);
    } else if (plan->mode == MODE_MAIL || plan->mode == MODE_PASSENGER) {
        sim_goods_scatter(plan->goods, &self->vehicle.hold, rng, &self->scene);
    } else {
        sim_goods_stow(plan->goods, &self->vehicle.hold, rng, &self->scene);
    }
}

static void build_scene(struct sim_world *self, const struct plan *plan, struct sim_item *item)
{
    struct rng rng = stream_of(self, item->index, STREAM_SCENE);
    sim_vehicle_build(plan->mode, &rng, &self->scene, &self->vehicle);
    if (!plan->empty) {
        stow(self, plan, &rng, &item->truth);
    }
    rng = stream_of(self, item->index, STREAM_ODDITY);
    if (plan->oddity) {
        sim_hide_oddity(plan->mode, &self->vehicle, &rng, &self->scene, &item->truth.oddity);
    }
    rng = stream_of(self, item->index, STREAM_HIDE);
    const double *bricks_kg = self->conf.bricks_kg;
    if (plan->contraband && bricks_kg[1] > 0) {
        double mass_kg = bricks_kg[0] * pow(bricks_kg[1] / bricks_kg[0], rng_uniform(&rng));
        sim_mixed_hide(&self->vehicle.hold, mass_kg, &rng, &self->scene, &item->truth.hidden);
    } else if (plan->contraband) {
        sim_hide_contraband(plan->mode, &self->vehicle, &rng, &self->scene, &item->truth.hidden);
    }
}

/* Another ware with a lower duty, as a smuggler of duties would say; the same one when there is
 * none. */
static const struct sim_goods *cheaper_goods(const struct plan *plan, struct rng *rng)
{
    for (int attempt = 0; attempt < 24; attempt++) {
        const struct sim_goods *other = sim_goods_draw(plan->mode, rng);
        if (other->tax_rate_percent < plan->goods->tax_rate_percent) {
            return other;
        }
    }
    return plan->goods;
}

struct told {
    const struct sim_goods *goods;
    double net_kg;
    double value_share;
    bool empty;
    const char *misdeclared;
};

/* What the declaration says, which is the truth but for a few per cent of weighing, or a lie of one
 * of four kinds. */
static struct told tell(const struct plan *plan, double true_net_kg, struct rng *rng)
{
    struct told told = {plan->goods, true_net_kg * (1 + 0.02 * rng_normal(rng)),
                        exp(0.25 * rng_normal(rng)), plan->empty, NULL};
    uint64_t kind = rng_below(rng, 4);
    double factor =
        rng_below(rng, 2) > 0 ? sim_between(rng, 0.35, 0.75) : sim_between(rng, 1.4, 2.2);
    const struct sim_goods *other = cheaper_goods(plan, rng);
    if (!plan->misdeclared || plan->empty) {
        return told; /* an empty one that lies would have to be declared loaded: nobody gains */
    }
    if (kind == 0 && plan->mode != MODE_MAIL && plan->mode != MODE_PASSENGER) {
        told.empty = true;
        told.misdeclared = "empty";
    } else if (kind == 1 && other != plan->goods) {
        told.goods = other;
        told.misdeclared = "goods";
    } else if (kind == 2) {
        told.value_share *= sim_between(rng, 0.1, 0.4);
        told.misdeclared = "value";
    } else {
        told.net_kg *= factor;
        told.misdeclared = "mass";
    }
    return told;
}

static double rounded(double value, double step)
{
    return value > 0 ? floor(value / step + 0.5) * step : 0;
}

static void fill_line(const struct told *told, const struct plan *plan, struct goods_line *line)
{
    double step = told->net_kg < 1 ? 0.001 : told->net_kg < 50 ? 0.01 : 1;
    *line = (struct goods_line){.hs_code = told->goods->hs6,
                                .description = told->goods->description,
                                .origin_country = plan->origin,
                                .net_mass_kg = rounded(told->net_kg, step),
                                .currency = "KRW",
                                .quantity_unit = "KGM",
                                .tax_rate_percent = told->goods->tax_rate_percent};
    line->quantity = line->net_mass_kg;
    line->value =
        rounded(line->net_mass_kg * told->goods->value_per_kg * told->value_share * WON_PER_EUR, 1);
}

static int64_t lead_ns(enum mode mode)
{
    static const int hours[MODE_COUNT] = {[MODE_TRUCK] = 1, [MODE_RAIL] = 6,  [MODE_SEA] = 24,
                                          [MODE_AIR] = 2,   [MODE_MAIL] = 12, [MODE_PASSENGER] = 0};
    return hours[mode] * INT64_C(3600) * NS_PER_S;
}

static void fill_parties(struct declaration *declaration, const struct sim_parties *parties)
{
    declaration->importer = parties->name[SIM_IMPORTER];
    declaration->seller = parties->name[SIM_SELLER];
    declaration->declarant = parties->name[SIM_DECLARANT];
    declaration->courier = parties->name[SIM_COURIER];
}

static void declare(const struct sim_world *self, const struct plan *plan, struct sim_item *item)
{
    struct rng rng = stream_of(self, item->index, STREAM_DECLARE);
    item->truth.true_net_kg = sim_scene_mass_kg(&self->scene, SIM_ROLE_GOODS);
    struct told told = tell(plan, item->truth.true_net_kg, &rng);
    item->key.scheme = sim_key_draw(plan->mode, &rng, item->key_text);
    item->key.value = item->key_text;
    fill_line(&told, plan, &item->line);
    (void)snprintf(item->declaration_id, sizeof item->declaration_id, "SD%08llx-%07llu",
                   (unsigned long long)(self->conf.seed & 0xffffffff),
                   (unsigned long long)item->index);
    double packing_kg = sim_scene_mass_kg(&self->scene, SIM_ROLE_PACKING);
    item->declaration = (struct declaration){
        .declaration_id = item->declaration_id,
        .mode = plan->mode,
        .site = self->conf.site,
        .lane = self->conf.lane,
        .keys = &item->key,
        .keys_count = 1,
        .declared_ns = self->conf.start_ns +
                       (int64_t)((double)item->index * self->conf.interval_s * 1e9) -
                       lead_ns(plan->mode),
        .lines = &item->line,
        .lines_count = told.empty ? 0 : 1,
        .departure_country = plan->departure,
        .declared_empty = told.empty,
        .raw_format = "sim"};
    fill_parties(&item->declaration, &item->parties);
    if (!told.empty) {
        item->declaration.gross_mass_kg = rounded(item->line.net_mass_kg * 1.03 + packing_kg, 0.01);
        item->truth.declared_net_kg = item->line.net_mass_kg;
    }
    item->truth.misdeclared = told.misdeclared;
    item->truth.true_hs6 = plan->empty ? "" : plan->goods->hs6;
    item->truth.violation = told.misdeclared != NULL || item->truth.hidden.what != NULL;
}

static void box_to_pixels(const struct sim_scene *scene, const struct image *image,
                          const double from_cm[2], const double to_cm[2], int32_t out[4])
{
    double pitch_cm = image->pixel_pitch_mm / 10;
    double edges[4] = {from_cm[0] / pitch_cm, (scene->height_cm - to_cm[1]) / pitch_cm,
                       to_cm[0] / pitch_cm, (scene->height_cm - from_cm[1]) / pitch_cm};
    double limits[4] = {image->width, image->height, image->width, image->height};
    for (int i = 0; i < 4; i++) {
        double edge = i < 2 ? floor(edges[i]) : ceil(edges[i]);
        out[i] = (int32_t)(edge < 0 ? 0 : edge > limits[i] ? limits[i] : edge);
    }
}

static struct err expose(struct sim_world *self, enum mode mode, struct sim_item *item)
{
    const struct sim_scanner_kind *kind = sim_scanner_kind_of(mode);
    if (self->scanners[mode] == NULL) {
        struct err err = sim_scanner_open(kind, &self->scanners[mode]);
        if (err_is(err)) {
            return err;
        }
    }
    struct rng rng = stream_of(self, item->index, STREAM_NOISE);
    struct sim_exposure exposure = {
        .pitch_mm = kind->pitch_mm / (mode == MODE_MAIL ? self->conf.mail_scale : self->conf.scale),
        .seed = rng_next(&rng),
        .dead_rows =
            rng_uniform(&rng) < 0.1 ? (uint32_t)rng_below(&rng, self->conf.dead_rows_max + 1u) : 0};
    struct image image = {.bits = 16,
                          .meaning = PIXEL_TRANSMISSION,
                          .pixel_pitch_mm = exposure.pitch_mm,
                          .air_level = SIM_AIR_LEVEL,
                          .dark_level = SIM_DARK_LEVEL};
    if (!sim_scanner_geometry(&self->scene, exposure.pitch_mm, &image.width, &image.height)) {
        return err_make(ERR_ARGUMENT, "expose scene");
    }
    size_t pixels_count = (size_t)image.width * image.height;
    image.payload_bytes = pixels_count * 2;
    if (2 * pixels_count > self->pixels_capacity) {
        uint16_t *larger = realloc(self->pixels, 2 * pixels_count * sizeof *larger);
        if (larger == NULL) {
            return err_make(ERR_MEMORY, "expose scene");
        }
        self->pixels = larger;
        self->pixels_capacity = 2 * pixels_count;
    }
    for (int i = 0; i < 2; i++) {
        item->images[i] = image;
        item->images[i].energy = i == 0 ? ENERGY_LOW : ENERGY_HIGH;
        item->images[i].energy_kev = i == 0 ? kind->low_kev : kind->high_kev;
        item->pixels[i] = self->pixels + (size_t)i * pixels_count;
    }
    return sim_scanner_expose(self->scanners[mode], &self->scene, &exposure, self->pixels,
                              self->pixels + pixels_count);
}

static struct err scan_item(struct sim_world *self, const struct plan *plan, struct sim_item *item)
{
    struct err err = expose(self, plan->mode, item);
    if (err_is(err)) {
        return err;
    }
    (void)snprintf(item->scan_id, sizeof item->scan_id, "SS%08llx-%07llu",
                   (unsigned long long)(self->conf.seed & 0xffffffff),
                   (unsigned long long)item->index);
    (void)snprintf(item->scanner, sizeof item->scanner, "sim-%s-1", mode_text(plan->mode));
    item->has_scan = true;
    item->scan =
        (struct scan){.scan_id = item->scan_id,
                      .mode = plan->mode,
                      .site = self->conf.site,
                      .lane = self->conf.lane,
                      .scanner = item->scanner,
                      .scanner_type = sim_scanner_kind_of(plan->mode)->scanner_type,
                      .keys = &item->key,
                      .keys_count = 1,
                      .acquired_ns = self->conf.start_ns +
                                     (int64_t)((double)item->index * self->conf.interval_s * 1e9),
                      .images = item->images,
                      .images_count = 2};
    if (item->truth.hidden.what != NULL) {
        box_to_pixels(&self->scene, &item->images[0], item->truth.hidden.from_cm,
                      item->truth.hidden.to_cm, item->truth.hidden_px);
    }
    if (item->truth.oddity.what != NULL) {
        box_to_pixels(&self->scene, &item->images[0], item->truth.oddity.from_cm,
                      item->truth.oddity.to_cm, item->truth.oddity_px);
    }
    return err_none;
}

struct err sim_world_item(struct sim_world *self, uint64_t index, struct sim_item *out)
{
    must(self != NULL && out != NULL && index < PAST_STREAMS / STREAM_COUNT);
    *out = (struct sim_item){
        .index = index, .truth = {.hidden_px = {-1, -1, -1, -1}, .oddity_px = {-1, -1, -1, -1}}};
    struct rng rng = stream_of(self, index, STREAM_PLAN);
    struct plan plan = make_plan(&self->conf, &rng, &out->parties);
    out->truth.mode = plan.mode;
    out->truth.propensity = out->parties.propensity;
    build_scene(self, &plan, out);
    declare(self, &plan, out);
    return plan.scanned ? scan_item(self, &plan, out) : err_none;
}

struct err sim_world_threat(struct sim_world *self, uint64_t index, double mass_kg,
                            struct sim_item *out)
{
    must(self != NULL && out != NULL && index < PAST_STREAMS / STREAM_COUNT && mass_kg > 0);
    *out = (struct sim_item){.index = index, .truth = {.mode = MODE_TRUCK}};
    struct rng rng = stream_of(self, index, STREAM_HIDE);
    sim_mixed_threat(mass_kg, &rng, &self->scene, &out->truth.hidden);
    return scan_item(self, &(struct plan){.mode = MODE_TRUCK}, out);
}

void sim_world_past(const struct sim_world *self, uint64_t index, uint64_t count,
                    struct sim_past *out)
{
    must(index < count);
    struct rng rng;
    rng_init(&rng, self->conf.seed, PAST_STREAMS + index);
    *out = (struct sim_past){0};
    struct plan plan = make_plan(&self->conf, &rng, &out->parties);
    double net_kg =
        exp(sim_between(&rng, 0, plan.mode == MODE_MAIL || plan.mode == MODE_PASSENGER ? 3 : 10));
    /* Examined items are no fair sample: more of them break the rules. */
    double rates = self->conf.contraband_rate + self->conf.misdeclare_rate;
    double violations = self->conf.history_factor * rates;
    double grave_share = rates > 0 ? self->conf.contraband_rate / rates : 0;
    out->found = rng_uniform(&rng) < chance(violations, out->parties.propensity);
    out->critical = rng_uniform(&rng) < grave_share && out->found;
    plan.misdeclared = out->found && !out->critical;
    plan.empty = false;
    struct told told = tell(&plan, net_kg, &rng);
    fill_line(&told, &plan, &out->line);
    (void)snprintf(out->declaration_id, sizeof out->declaration_id, "SP%08llx-%07llu",
                   (unsigned long long)(self->conf.seed & 0xffffffff), (unsigned long long)index);
    double share = (double)index / (double)count;
    out->declaration = (struct declaration){.declaration_id = out->declaration_id,
                                            .mode = plan.mode,
                                            .site = self->conf.site,
                                            .lane = self->conf.lane,
                                            .declared_ns = self->conf.start_ns - YEAR_NS +
                                                           (int64_t)(share * (double)YEAR_NS),
                                            .lines = &out->line,
                                            .lines_count = 1,
                                            .departure_country = plan.departure,
                                            .raw_format = "sim"};
    fill_parties(&out->declaration, &out->parties);
}
