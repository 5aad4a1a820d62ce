/* SPDX-License-Identifier: Apache-2.0 */
#include "feeds/sim_mixed.h"

#include <math.h>
#include <stdio.h>

/* What makes mixed cargo hard for a detector is what is drawn here: every carton differs from its
 * neighbour, two or more wares lie behind one another, and some cartons are as heavy as what is
 * looked for. */

#define PALLET_LENGTH_CM 120.0
#define CARTON_KG_MAX 32.0  /* what one person lifts; heavier cartons are packed half empty */
#define DENSITY_SPREAD 0.35 /* of the logarithm, from pallet to pallet */
#define DENSITY_MIN 0.04
#define DENSITY_MAX 1.6
#define ORGANIC_DENSITY_MAX 0.9 /* liquids, paper, sugar, frozen food, as packed in cartons */
#define LOAD_TRIES 64

struct mixing {
    enum mode mode;
    const struct sim_hold *hold;
    struct rng *rng;
    struct sim_scene *scene;
    double density;
    double height; /* that may be used, cm */
    double left_kg;
};

struct pile {
    double from[3];
    double to[3]; /* to[1]: the top that may be reached */
    struct sim_stuff stuff;
};

static double held(double value, double least, double most)
{
    return value < least ? least : value > most ? most : value;
}

static bool is_organic(enum sim_material material)
{
    static const enum sim_material organic[] = {SIM_WATER,  SIM_CELLULOSE, SIM_POLYETHYLENE,
                                                SIM_PVC,    SIM_FOOD,      SIM_GRAIN,
                                                SIM_RUBBER, SIM_FUEL};
    for (size_t i = 0; i < sizeof organic / sizeof organic[0]; i++) {
        if (organic[i] == material) {
            return true;
        }
    }
    return false;
}

static struct sim_stuff draw_stuff(struct mixing *self, double spread)
{
    /* Steel coils, bulk and profiles are no mixed cargo. */
    for (int attempt = 0; attempt < LOAD_TRIES; attempt++) {
        const struct sim_goods *goods = sim_goods_draw(self->mode, self->rng);
        if (goods->packing != SIM_COILS && goods->packing != SIM_BULK &&
            goods->packing != SIM_BUNDLES) {
            double density = self->density * exp(spread * rng_normal(self->rng));
            double most = is_organic(goods->stuff.material) ? ORGANIC_DENSITY_MAX : DENSITY_MAX;
            return (struct sim_stuff){goods->stuff.material, held(density, DENSITY_MIN, most)};
        }
    }
    return (struct sim_stuff){SIM_CELLULOSE, self->density};
}

static bool put_box(struct mixing *self, const double from[3], const double to[3],
                    struct sim_stuff stuff)
{
    double volume_cm3 = (to[0] - from[0]) * (to[1] - from[1]) * (to[2] - from[2]);
    double mass_kg = volume_cm3 * stuff.density / 1000;
    if (mass_kg > self->left_kg || mass_kg <= 0) {
        return false;
    }
    self->left_kg -= mass_kg;
    return sim_scene_add_box(self->scene, SIM_ROLE_GOODS, from, to, stuff) != NULL;
}

/* Layers of equal cartons, n along and m across; every carton is packed a little differently. */
static bool put_cartons(struct mixing *self, const struct pile *pile)
{
    static const double grids[4][2] = {{2, 1}, {3, 2}, {2, 2}, {4, 2}};
    const double *grid = grids[rng_below(self->rng, 4)];
    double layer = sim_between(self->rng, 18, 42);
    double spread = sim_between(self->rng, 0.02, 0.10);
    double side[2] = {(pile->to[0] - pile->from[0]) / grid[0],
                      (pile->to[2] - pile->from[2]) / grid[1]};
    for (double y = pile->from[1]; y + layer <= pile->to[1]; y += layer) {
        for (uint32_t cell = 0; cell < (uint32_t)(grid[0] * grid[1]); cell++) {
            uint32_t row = cell / (uint32_t)grid[0];
            double x = pile->from[0] + side[0] * (cell % (uint32_t)grid[0]);
            double z = pile->from[2] + side[1] * row;
            struct sim_stuff stuff = pile->stuff;
            stuff.density *= held(1 + spread * rng_normal(self->rng), 0.6, 1.4);
            if (!put_box(self, (double[]){x, y, z},
                         (double[]){x + side[0] - 0.6, y + layer - 0.6, z + side[1] - 0.6},
                         stuff)) {
                return false;
            }
        }
    }
    return true;
}

/* A machine or its parts in a frame: metal, circuits, and covers of plastic. */
static bool put_parts(struct mixing *self, const struct pile *pile)
{
    static const struct {
        struct sim_stuff stuff; /* the densest part of that kind */
    } kinds[5] = {{{SIM_STEEL, 4.0}},
                  {{SIM_STEEL, 2.0}},
                  {{SIM_ALUMINIUM, 1.8}},
                  {{SIM_ELECTRONICS, 1.4}},
                  {{SIM_POLYETHYLENE, 0.12}}};
    double room[3];
    for (int i = 0; i < 3; i++) {
        room[i] = pile->to[i] - pile->from[i];
    }
    uint64_t parts = 3 + rng_below(self->rng, 6);
    for (uint64_t n = 0; n < parts; n++) {
        struct sim_shape part = {.form = (enum sim_form)rng_below(self->rng, 5),
                                 .role = SIM_ROLE_GOODS,
                                 .stuff = kinds[rng_below(self->rng, 5)].stuff};
        for (int i = 0; i < 3; i++) {
            part.half[i] = room[i] * sim_between(self->rng, 0.1, 0.35);
            part.centre[i] =
                pile->from[i] + sim_between(self->rng, part.half[i], room[i] - part.half[i]);
        }
        part.stuff.density *= sim_between(self->rng, 0.2, 1.0);
        double mass_kg = sim_shape_volume_cm3(&part) * part.stuff.density / 1000;
        if (mass_kg > self->left_kg) {
            return false;
        }
        self->left_kg -= mass_kg;
        if (sim_scene_add(self->scene, &part) == NULL) {
            return false;
        }
    }
    return true;
}

/* Parcels of every size and kind, stacked in columns. */
static bool put_parcels(struct mixing *self, const struct pile *pile)
{
    for (double x = pile->from[0]; x + 20 < pile->to[0];) {
        double length = held(sim_between(self->rng, 25, 60), 0, pile->to[0] - x);
        for (double z = pile->from[2]; z + 20 < pile->to[2];) {
            double depth = held(sim_between(self->rng, 25, 60), 0, pile->to[2] - z);
            for (double y = pile->from[1]; y + 10 < pile->to[1];) {
                double tall = held(sim_between(self->rng, 12, 50), 0, pile->to[1] - y);
                struct sim_stuff stuff = draw_stuff(self, 2 * DENSITY_SPREAD);
                double heaviest = CARTON_KG_MAX * 1000 / (length * depth * tall);
                stuff.density = held(stuff.density, DENSITY_MIN, heaviest);
                if (!put_box(self, (double[]){x, y, z},
                             (double[]){x + length - 0.8, y + tall - 0.5, z + depth - 0.8},
                             stuff)) {
                    return false;
                }
                y += tall;
            }
            z += depth;
        }
        x += length;
    }
    return true;
}

/* The wooden pallet carries the pile. */
static bool put_pile(struct mixing *self, struct pile *pile)
{
    double top = pile->to[1];
    pile->to[1] = pile->from[1] + 14;
    struct sim_shape *wood = sim_scene_add_box(self->scene, SIM_ROLE_PACKING, pile->from, pile->to,
                                               (struct sim_stuff){SIM_CELLULOSE, 0.18});
    pile->from[1] += 14;
    pile->to[1] = top;
    pile->stuff = draw_stuff(self, DENSITY_SPREAD);
    bool crate = rng_uniform(self->rng) < 0.15;
    return wood != NULL && (crate ? put_parts(self, pile) : put_cartons(self, pile));
}

void sim_mixed_stow(const struct sim_mixture *mixture, const struct sim_hold *hold, struct rng *rng,
                    struct sim_scene *scene)
{
    double inner[3];
    for (int i = 0; i < 3; i++) {
        inner[i] = hold->to[i] - hold->from[i];
    }
    /* The height at which a full floor weighs the payload, or nearly the roof. */
    double level = hold->payload_kg * 1000 / (mixture->density * inner[0] * inner[2]);
    struct mixing mixing = {.mode = mixture->mode,
                            .hold = hold,
                            .rng = rng,
                            .scene = scene,
                            .density = mixture->density,
                            .height = held(level, 45, 0.92 * inner[1]),
                            .left_kg = hold->payload_kg};
    for (double x = hold->from[0]; x + PALLET_LENGTH_CM <= hold->to[0];
         x += PALLET_LENGTH_CM + sim_between(rng, 1, 6)) {
        bool loose = rng_uniform(rng) < mixture->parcels_share;
        for (int abreast = 0; abreast < (loose ? 1 : 2); abreast++) {
            double width = loose ? inner[2] : inner[2] / 2;
            double z = hold->from[2] + abreast * width;
            double top = hold->from[1] + mixing.height * sim_between(rng, 0.6, 1.0);
            struct pile pile = {.from = {x, hold->from[1], z + 1},
                                .to = {x + PALLET_LENGTH_CM, top, z + width - 1}};
            if (!(loose ? put_parcels(&mixing, &pile) : put_pile(&mixing, &pile))) {
                return;
            }
        }
    }
}

struct block {
    double brick[3];
    uint32_t counts[3];
    uint32_t bricks;
    struct sim_stuff stuff;
};

/* Bricks lie in one of six ways; rows are added where the block is shortest, until all have room.
 */
static struct block make_block(double mass_kg, struct rng *rng)
{
    static const enum sim_material powders[] = {SIM_COCAINE, SIM_HEROIN, SIM_FENTANYL};
    struct block block = {.stuff = {powders[rng_below(rng, 3)], sim_between(rng, 1.1, 1.4)},
                          .counts = {1, 1, 1}};
    double sides[3] = {sim_between(rng, 20, 25), 15, 5};
    uint64_t turn = rng_below(rng, 6);
    for (uint64_t i = 0; i < 3; i++) {
        block.brick[i] = sides[turn < 3 ? (i + turn) % 3 : (5 - i + turn) % 3];
    }
    double brick_kg = sides[0] * sides[1] * sides[2] * block.stuff.density / 1000;
    block.bricks = (uint32_t)held(floor(mass_kg / brick_kg + 0.5), 1, 400);
    while (block.counts[0] * block.counts[1] * block.counts[2] < block.bricks) {
        int shortest = 0;
        for (int i = 1; i < 3; i++) {
            if (block.counts[i] * block.brick[i] < block.counts[shortest] * block.brick[shortest]) {
                shortest = i;
            }
        }
        block.counts[shortest]++;
    }
    return block;
}

/* What lies where the brick comes to lie is taken away, by shapes without substance. */
static void displace(struct sim_scene *scene, uint32_t goods_count, const double from[3],
                     const double to[3])
{
    for (uint32_t i = 0; i < goods_count; i++) {
        const struct sim_shape *goods = &scene->shapes[i];
        double low[3], high[3];
        bool meets = goods->role == SIM_ROLE_GOODS && goods->form == SIM_BOX;
        for (int k = 0; k < 3 && meets; k++) {
            low[k] = fmax(from[k], goods->centre[k] - goods->half[k]);
            high[k] = fmin(to[k], goods->centre[k] + goods->half[k]);
            meets = low[k] < high[k];
        }
        if (meets) {
            struct sim_shape *gap = sim_scene_add_box(scene, SIM_ROLE_PACKING, low, high,
                                                      (struct sim_stuff){goods->stuff.material, 0});
            if (gap != NULL) {
                gap->host = scene->shapes[i].stuff;
                gap->host_role = SIM_ROLE_GOODS;
            }
        }
    }
}

static void put_bricks(const struct block *block, const double corner[3], struct sim_scene *scene,
                       struct sim_hidden *out)
{
    uint32_t put = 0;
    for (uint32_t n = 0; put < block->bricks; n++, put++) {
        /* Filled layer by layer from below: the last layer may be short. */
        uint32_t at[3] = {n % block->counts[0], n / (block->counts[0] * block->counts[2]),
                          n / block->counts[0] % block->counts[2]};
        double from[3], to[3];
        for (int i = 0; i < 3; i++) {
            from[i] = corner[i] + at[i] * block->brick[i];
            to[i] = from[i] + block->brick[i] - 0.2; /* wrapping */
        }
        for (int i = 0; i < 2; i++) {
            out->from_cm[i] = put == 0 ? from[i] : fmin(out->from_cm[i], from[i]);
            out->to_cm[i] = put == 0 ? to[i] : fmax(out->to_cm[i], to[i]);
        }
        struct sim_shape *brick = sim_scene_add_box(scene, SIM_ROLE_HIDDEN, from, to, block->stuff);
        if (brick == NULL) {
            break;
        }
        out->mass_kg += sim_shape_volume_cm3(brick) * brick->stuff.density / 1000;
    }
    if (out->mass_kg > 0) {
        out->what = sim_material_name(block->stuff.material);
    }
}

static const struct sim_shape *draw_carton(const struct sim_scene *scene, struct rng *rng)
{
    const struct sim_shape *chosen = NULL;
    uint64_t seen = 0;
    for (uint32_t i = 0; i < scene->shapes_count; i++) {
        const struct sim_shape *shape = &scene->shapes[i];
        if (shape->role == SIM_ROLE_GOODS && shape->form == SIM_BOX &&
            rng_below(rng, ++seen) == 0) {
            chosen = shape;
        }
    }
    return chosen;
}

void sim_mixed_hide(const struct sim_hold *hold, double mass_kg, struct rng *rng,
                    struct sim_scene *scene, struct sim_hidden *out)
{
    *out = (struct sim_hidden){0};
    struct block block = make_block(mass_kg, rng);
    const struct sim_shape *carton = draw_carton(scene, rng);
    if (carton == NULL) {
        return;
    }
    double corner[3], to[3];
    for (int i = 0; i < 3; i++) {
        /* It stands where the carton stands and may reach into its neighbours. */
        double reach = block.counts[i] * block.brick[i];
        double slack = fmax(2 * carton->half[i] - reach, 0);
        corner[i] = carton->centre[i] - carton->half[i] + (i == 1 ? 0 : slack) * rng_uniform(rng);
        corner[i] = held(corner[i], hold->from[i], fmax(hold->from[i], hold->to[i] - reach));
        to[i] = corner[i] + reach;
    }
    uint32_t goods_count = scene->shapes_count;
    displace(scene, goods_count, corner, to);
    put_bricks(&block, corner, scene, out);
    (void)snprintf(out->place, sizeof out->place, "mixed cargo");
}

void sim_mixed_threat(double mass_kg, struct rng *rng, struct sim_scene *scene,
                      struct sim_hidden *out)
{
    *out = (struct sim_hidden){0};
    struct block block = make_block(mass_kg, rng);
    double corner[3];
    for (int i = 0; i < 3; i++) {
        corner[i] = 2;
    }
    sim_scene_init(scene, block.counts[0] * block.brick[0] + 4,
                   block.counts[1] * block.brick[1] + 4);
    put_bricks(&block, corner, scene, out);
    (void)snprintf(out->place, sizeof out->place, "alone");
}
