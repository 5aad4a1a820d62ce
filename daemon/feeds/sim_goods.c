/* SPDX-License-Identifier: Apache-2.0 */
#include "feeds/sim_goods.h"

#include <math.h>
#include <stddef.h>

/* Stowing densities follow common stowage factors (0.15 t/m3 clothing, 0.75 water in bottles, 1.4 tiles); values are round
 * figures. They make loads that look and weigh like loads, and are not statistics of trade. */

#define TRUCK (1u << MODE_TRUCK)
#define SEA (1u << MODE_SEA)
#define RAIL (1u << MODE_RAIL)
#define AIR (1u << MODE_AIR)
#define MAIL (1u << MODE_MAIL)
#define CAR (1u << MODE_PASSENGER)

static const struct sim_goods goods_table[] = {
    {"220110", "mineral water in bottles", SIM_PALLETS, {SIM_WATER, 0.75}, {0.5, 0.7}, 0.4, 6, {"FR", "IT", "TR"}, TRUCK | SEA},
    {"220421", "wine in bottles", SIM_PALLETS, {SIM_WATER, 0.70}, {0.5, 0.75}, 4, 12, {"IT", "CL", "ZA"}, TRUCK | SEA},
    {"610910", "cotton T-shirts", SIM_LOOSE, {SIM_CELLULOSE, 0.22}, {0.8, 0.97}, 14, 12, {"BD", "CN", "TR"}, TRUCK | SEA | AIR | MAIL},
    {"640399", "leather shoes", SIM_LOOSE, {SIM_POLYETHYLENE, 0.20}, {0.8, 0.97}, 25, 8, {"VN", "CN", "IT"}, TRUCK | SEA | AIR | MAIL},
    {"940360", "wooden furniture", SIM_LOOSE, {SIM_CELLULOSE, 0.24}, {0.75, 0.95}, 4, 0, {"CN", "PL", "VN"}, TRUCK | SEA},
    {"390120", "polyethylene granules in bags", SIM_BAGS, {SIM_POLYETHYLENE, 0.56}, {0.5, 0.7}, 1.3, 6.5, {"SA", "KR", "BE"}, TRUCK | SEA | RAIL},
    {"480100", "newsprint in reels", SIM_REELS, {SIM_CELLULOSE, 0.75}, {0.8, 0.95}, 0.7, 0, {"FI", "CA", "SE"}, TRUCK | SEA | RAIL},
    {"690721", "ceramic tiles", SIM_PALLETS, {SIM_CERAMIC, 1.40}, {0.25, 0.4}, 0.6, 5, {"ES", "CN", "IN"}, TRUCK | SEA},
    {"700529", "float glass", SIM_CRATES, {SIM_GLASS, 1.30}, {0.4, 0.6}, 0.5, 3, {"CN", "DE", "PL"}, TRUCK | SEA},
    {"720851", "steel coils", SIM_COILS, {SIM_STEEL, 7.60}, {0.4, 0.6}, 0.8, 0, {"KR", "TR", "IN"}, TRUCK | RAIL},
    {"760421", "aluminium profiles", SIM_BUNDLES, {SIM_ALUMINIUM, 0.60}, {0.4, 0.7}, 3.5, 7.5, {"CN", "TR", "NO"}, TRUCK | SEA},
    {"440710", "sawn timber", SIM_BUNDLES, {SIM_CELLULOSE, 0.50}, {0.7, 0.92}, 0.4, 0, {"SE", "RU", "CA"}, TRUCK | SEA | RAIL},
    {"090111", "green coffee in bags", SIM_BAGS, {SIM_GRAIN, 0.60}, {0.6, 0.75}, 4, 0, {"BR", "CO", "VN"}, SEA},
    {"100630", "rice in bags", SIM_BAGS, {SIM_GRAIN, 0.75}, {0.5, 0.62}, 0.7, 5, {"TH", "IN", "PK"}, TRUCK | SEA},
    {"100199", "wheat in bulk", SIM_BULK, {SIM_GRAIN, 0.77}, {0.5, 0.75}, 0.25, 0, {"UA", "FR", "US"}, RAIL},
    {"080390", "bananas", SIM_PALLETS, {SIM_FOOD, 0.42}, {0.8, 0.9}, 0.8, 0, {"EC", "CO", "CR"}, SEA},
    {"020230", "frozen beef", SIM_PALLETS, {SIM_FOOD, 0.62}, {0.75, 0.9}, 5, 12, {"BR", "AR", "AU"}, SEA | TRUCK},
    {"320890", "paint in drums", SIM_DRUMS, {SIM_WATER, 1.10}, {0.4, 0.6}, 2.5, 6.5, {"DE", "CN", "TR"}, TRUCK | SEA | RAIL},
    {"271019", "lubricating oil in drums", SIM_DRUMS, {SIM_FUEL, 0.88}, {0.4, 0.6}, 1.5, 3.7, {"BE", "KR", "AE"}, TRUCK | SEA | RAIL},
    {"848340", "gears and gearing", SIM_CRATES, {SIM_STEEL, 0.90}, {0.4, 0.7}, 9, 3.7, {"DE", "JP", "CN"}, TRUCK | SEA | AIR},
    {"840991", "engine parts", SIM_CRATES, {SIM_ALUMINIUM, 0.70}, {0.4, 0.75}, 11, 2.7, {"DE", "JP", "MX"}, TRUCK | SEA | AIR},
    {"850710", "lead-acid accumulators", SIM_PALLETS, {SIM_LEAD, 1.60}, {0.2, 0.3}, 2.5, 3.7, {"CN", "CZ", "KR"}, TRUCK | SEA},
    {"852872", "television sets", SIM_LOOSE, {SIM_ELECTRONICS, 0.18}, {0.85, 0.97}, 18, 14, {"CN", "MX", "TR"}, TRUCK | SEA},
    {"851713", "smartphones", SIM_PALLETS, {SIM_ELECTRONICS, 0.45}, {0.4, 0.7}, 400, 0, {"CN", "VN", "IN"}, AIR | MAIL},
    {"300490", "medicaments", SIM_PALLETS, {SIM_CELLULOSE, 0.30}, {0.5, 0.8}, 90, 0, {"CH", "IN", "DE"}, AIR | MAIL},
    {"330499", "cosmetics", SIM_LOOSE, {SIM_POLYETHYLENE, 0.45}, {0.5, 0.85}, 22, 0, {"FR", "KR", "CN"}, TRUCK | SEA | AIR | MAIL},
    {"950300", "toys", SIM_LOOSE, {SIM_POLYETHYLENE, 0.16}, {0.85, 0.97}, 8, 0, {"CN", "VN", "CZ"}, TRUCK | SEA | MAIL},
    {"490199", "printed books", SIM_PALLETS, {SIM_CELLULOSE, 0.70}, {0.3, 0.5}, 6, 0, {"GB", "CN", "DE"}, TRUCK | SEA | MAIL},
    {"060311", "cut roses", SIM_PALLETS, {SIM_FOOD, 0.14}, {0.85, 0.97}, 6, 8.5, {"KE", "EC", "CO"}, AIR},
    {"030214", "fresh salmon", SIM_PALLETS, {SIM_FOOD, 0.60}, {0.5, 0.7}, 9, 2, {"NO", "CL", "GB"}, AIR | TRUCK},
    {"847330", "computer parts", SIM_LOOSE, {SIM_ELECTRONICS, 0.35}, {0.5, 0.85}, 70, 0, {"CN", "TW", "MY"}, AIR | MAIL},
    {"210690", "food supplements", SIM_LOOSE, {SIM_GRAIN, 0.45}, {0.5, 0.8}, 20, 12.8, {"US", "DE", "NL"}, MAIL | AIR},
    {"980100", "personal effects", SIM_LOOSE, {SIM_CELLULOSE, 0.20}, {0.2, 0.6}, 10, 0, {"DE", "PL", "RO"}, CAR},
};

uint32_t sim_goods_count(void) { return sizeof goods_table / sizeof goods_table[0]; }

const struct sim_goods *sim_goods_at(uint32_t index)
{
    must(index < sim_goods_count());
    return &goods_table[index];
}

const struct sim_goods *sim_goods_draw(enum mode mode, struct rng *rng)
{
    uint32_t fitting = 0;
    for (uint32_t i = 0; i < sim_goods_count(); i++) {
        fitting += (goods_table[i].modes >> mode & 1u) != 0 ? 1 : 0;
    }
    must(fitting > 0);
    uint64_t wanted = rng_below(rng, fitting);
    for (uint32_t i = 0; i < sim_goods_count(); i++) {
        if ((goods_table[i].modes >> mode & 1u) != 0 && wanted-- == 0) {
            return &goods_table[i];
        }
    }
    must(false);
    return NULL;
}

double sim_between(struct rng *rng, double from, double to) { return from + (to - from) * rng_uniform(rng); }

struct stowing {
    const struct sim_goods *goods;
    const struct sim_hold *hold;
    struct rng *rng;
    struct sim_scene *scene;
    double left_kg;
};

/* False when it would be too heavy: the hold is then finished. */
static bool put(struct stowing *self, struct sim_shape shape)
{
    double mass_kg = sim_shape_volume_cm3(&shape) * shape.stuff.density / 1000;
    if (mass_kg > self->left_kg) {
        return false;
    }
    self->left_kg -= mass_kg;
    shape.role = SIM_ROLE_GOODS;
    return sim_scene_add(self->scene, &shape) != NULL;
}

static struct sim_shape block(const struct stowing *self, enum sim_form form, double x, double y, double length,
                              double height)
{
    const struct sim_hold *hold = self->hold;
    double depth = hold->to[2] - hold->from[2];
    return (struct sim_shape){.form = form, .stuff = self->goods->stuff,
                              .centre = {x + length / 2, y + height / 2, hold->from[2] + depth / 2},
                              .half = {length / 2, height / 2, depth / 2}};
}

/* One stack of layers standing at x; each layer a carton's height with a small gap above. */
static bool put_layers(struct stowing *self, double x, double floor_y, double length, double height)
{
    double layer = sim_between(self->rng, 22, 42);
    double density = self->goods->stuff.density * sim_between(self->rng, 0.92, 1.08);
    for (double y = floor_y; y + layer <= floor_y + height; y += layer) {
        struct sim_shape shape = block(self, SIM_BOX, x, y, length, layer - 1.0);
        shape.half[2] *= 0.92; /* the hold is never stowed to the walls */
        shape.stuff.density = density;
        if (!put(self, shape)) {
            return false;
        }
    }
    return true;
}

static bool put_pallet(struct stowing *self, double x, double length, double height)
{
    struct sim_shape wood = block(self, SIM_BOX, x, self->hold->from[1], length, 14);
    wood.stuff = (struct sim_stuff){SIM_CELLULOSE, 0.18}; /* boards and air */
    wood.role = SIM_ROLE_PACKING;
    return sim_scene_add(self->scene, &wood) != NULL && put_layers(self, x, self->hold->from[1] + 14, length, height - 14);
}

static bool put_loose(struct stowing *self, double x, double length, double height)
{
    for (double y = 0; y < height - 15;) {
        double carton = sim_between(self->rng, 18, 60);
        carton = carton < height - y ? carton : height - y;
        struct sim_shape shape = block(self, SIM_BOX, x, self->hold->from[1] + y, length - 0.6, carton - 0.6);
        shape.stuff.density *= sim_between(self->rng, 0.75, 1.25);
        shape.half[2] *= sim_between(self->rng, 0.85, 0.98);
        if (!put(self, shape)) {
            return false;
        }
        y += carton;
    }
    return true;
}

static bool put_round(struct stowing *self, enum sim_form form, double x, double length, double height)
{
    double tall = form == SIM_CYLINDER_Z ? length : self->goods->packing == SIM_DRUMS ? 88 : 118;
    for (double y = 0; y + tall <= height + 1; y += tall + (form == SIM_CYLINDER_Z ? 1e6 : 0)) {
        struct sim_shape shape = block(self, form, x, self->hold->from[1] + y, length - 1, tall - 1);
        shape.half[2] *= form == SIM_CYLINDER_Z ? 0.55 : 0.95;
        if (!put(self, shape)) {
            return false;
        }
        if (form == SIM_CYLINDER_Z) { /* the eye of the coil is air */
            shape.half[0] *= 0.35;
            shape.half[1] *= 0.35;
            shape.host = shape.stuff;
            shape.host_role = SIM_ROLE_GOODS;
            shape.stuff.density = 0;
            shape.role = SIM_ROLE_PACKING;
            (void)sim_scene_add(self->scene, &shape);
        }
    }
    return true;
}

static bool put_crate(struct stowing *self, double x, double length, double height)
{
    struct sim_shape frame = block(self, SIM_BOX, x, self->hold->from[1], length, height);
    frame.stuff = (struct sim_stuff){SIM_CELLULOSE, 0.04};
    frame.role = SIM_ROLE_PACKING;
    if (sim_scene_add(self->scene, &frame) == NULL) {
        return false;
    }
    uint64_t parts = 3 + rng_below(self->rng, 5);
    for (uint64_t i = 0; i < parts; i++) {
        double part_length = length * sim_between(self->rng, 0.15, 0.5);
        double part_height = height * sim_between(self->rng, 0.15, 0.6);
        struct sim_shape part = block(self, (enum sim_form)rng_below(self->rng, 4),
                                      x + sim_between(self->rng, 0, length - part_length),
                                      self->hold->from[1] + sim_between(self->rng, 4, height - part_height), part_length,
                                      part_height);
        part.half[2] *= sim_between(self->rng, 0.2, 0.6);
        part.stuff.density *= sim_between(self->rng, 1.2, 2.4); /* parts are denser than the crate on average */
        if (!put(self, part)) {
            return false;
        }
    }
    return true;
}

/* One stack of the goods at x. */
static bool put_stack(struct stowing *self, double x, double length, double height)
{
    switch (self->goods->packing) {
    case SIM_PALLETS:
        return put_pallet(self, x, length, height);
    case SIM_LOOSE:
        return put_loose(self, x, length, height);
    case SIM_DRUMS:
    case SIM_REELS:
        return put_round(self, SIM_CYLINDER_Y, x, length, height);
    case SIM_COILS:
        return put_round(self, SIM_CYLINDER_Z, x, length, height);
    case SIM_CRATES:
        return put_crate(self, x, length, height);
    default:
        return put_layers(self, x, self->hold->from[1], length, height);
    }
}

static const struct {
    double length[2]; /* of a stack along x, cm */
    double gap[2];
} stacks[] = {
    [SIM_PALLETS] = {{118, 122}, {1, 5}}, [SIM_BAGS] = {{55, 65}, {0, 1}},  [SIM_BULK] = {{18, 24}, {0, 0}},
    [SIM_DRUMS] = {{59, 60}, {0, 2}},     [SIM_REELS] = {{100, 125}, {0, 3}}, [SIM_COILS] = {{110, 150}, {60, 160}},
    [SIM_BUNDLES] = {{290, 400}, {3, 25}}, [SIM_CRATES] = {{110, 240}, {5, 40}}, [SIM_LOOSE] = {{35, 70}, {0, 1.5}},
};

void sim_goods_stow(const struct sim_goods *goods, const struct sim_hold *hold, struct rng *rng,
                    struct sim_scene *scene)
{
    struct stowing stowing = {goods, hold, rng, scene, hold->payload_kg};
    double hold_height = hold->to[1] - hold->from[1];
    double fill = sim_between(rng, goods->fill[0], goods->fill[1]);
    double reach = sim_between(rng, 0.75, 1.0) * (hold->to[0] - hold->from[0]) + hold->from[0];
    double ragged = goods->packing == SIM_BULK ? 0.04 : 0.02;
    for (double x = hold->from[0];;) {
        double length = sim_between(rng, stacks[goods->packing].length[0], stacks[goods->packing].length[1]);
        if (x + length > hold->to[0]) {
            length = hold->to[0] - x;
        }
        if (length < 15 || x >= reach) {
            return;
        }
        fill += ragged * rng_normal(rng);
        fill = fill < goods->fill[0] ? goods->fill[0] : fill > goods->fill[1] ? goods->fill[1] : fill;
        if (!put_stack(&stowing, x, length, fill * hold_height)) {
            return;
        }
        x += length + sim_between(rng, stacks[goods->packing].gap[0], stacks[goods->packing].gap[1]);
    }
}

void sim_goods_scatter(const struct sim_goods *goods, const struct sim_hold *hold, struct rng *rng,
                       struct sim_scene *scene)
{
    struct stowing stowing = {goods, hold, rng, scene, hold->payload_kg};
    uint64_t pieces = 1 + rng_below(rng, 7);
    double inner[3];
    for (int i = 0; i < 3; i++) {
        inner[i] = hold->to[i] - hold->from[i];
    }
    for (uint64_t n = 0; n < pieces; n++) {
        struct sim_shape shape = {.form = rng_below(rng, 3) > 0 ? SIM_BOX : (enum sim_form)rng_below(rng, 5),
                                  .stuff = goods->stuff};
        for (int i = 0; i < 3; i++) {
            shape.half[i] = inner[i] * sim_between(rng, 0.10, 0.34);
            shape.centre[i] = hold->from[i] + sim_between(rng, shape.half[i], inner[i] - shape.half[i]);
        }
        shape.turn = rng_below(rng, 2) > 0 ? sim_between(rng, -0.2, 0.2) : 0;
        shape.stuff.density *= sim_between(rng, 0.7, 1.8);
        double mass_kg = sim_shape_volume_cm3(&shape) * shape.stuff.density / 1000;
        double share = mass_kg > stowing.left_kg / 2 ? stowing.left_kg / 2 / mass_kg : 1;
        shape.half[2] *= share; /* nobody packs more than half of what may still be carried into one piece */
        (void)put(&stowing, shape);
    }
}
