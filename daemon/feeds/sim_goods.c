/* SPDX-License-Identifier: Apache-2.0 */
#include "feeds/sim_goods.h"

#include <math.h>
#include <stddef.h>

#include "feeds/sim_goods_table.h"

/* Every ware is stowed by one of a few patterns, stack after stack along the vehicle: what an image
 * model then sees is the pattern, its heights and gaps, as in a side view of a real load. */

uint32_t sim_goods_count(void)
{
    return sizeof goods_table / sizeof goods_table[0];
}

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

double sim_between(struct rng *rng, double from, double to)
{
    return from + (to - from) * rng_uniform(rng);
}

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

static struct sim_shape block(const struct stowing *self, enum sim_form form, double x, double y,
                              double length, double height)
{
    const struct sim_hold *hold = self->hold;
    double depth = hold->to[2] - hold->from[2];
    return (struct sim_shape){.form = form,
                              .stuff = self->goods->stuff,
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
    return sim_scene_add(self->scene, &wood) != NULL &&
           put_layers(self, x, self->hold->from[1] + 14, length, height - 14);
}

static bool put_loose(struct stowing *self, double x, double length, double height)
{
    for (double y = 0; y < height - 15;) {
        double carton = sim_between(self->rng, 18, 60);
        carton = carton < height - y ? carton : height - y;
        struct sim_shape shape =
            block(self, SIM_BOX, x, self->hold->from[1] + y, length - 0.6, carton - 0.6);
        shape.stuff.density *= sim_between(self->rng, 0.75, 1.25);
        shape.half[2] *= sim_between(self->rng, 0.85, 0.98);
        if (!put(self, shape)) {
            return false;
        }
        y += carton;
    }
    return true;
}

/* Standing drums and reels, as many on top of one another as fit. */
static bool put_standing(struct stowing *self, double x, double length, double height)
{
    double tall = self->goods->packing == SIM_DRUMS ? 88 : 118;
    for (double y = 0; y + tall <= height + 1; y += tall) {
        struct sim_shape shape =
            block(self, SIM_CYLINDER_Y, x, self->hold->from[1] + y, length - 1, tall - 1);
        shape.half[2] *= 0.95;
        if (!put(self, shape)) {
            return false;
        }
    }
    return true;
}

static bool put_coil(struct stowing *self, double x, double length, double height)
{
    double across = length < height ? length : height;
    struct sim_shape shape = block(self, SIM_CYLINDER_Z, x, self->hold->from[1], across, across);
    shape.half[2] *= 0.55;
    if (!put(self, shape)) {
        return false;
    }
    shape.half[0] *= 0.35; /* the eye of the coil is air */
    shape.half[1] *= 0.35;
    shape.host = shape.stuff;
    shape.host_role = SIM_ROLE_GOODS;
    shape.stuff.density = 0;
    shape.role = SIM_ROLE_PACKING;
    return sim_scene_add(self->scene, &shape) != NULL;
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
        struct sim_shape part =
            block(self, (enum sim_form)rng_below(self->rng, 4),
                  x + sim_between(self->rng, 0, length - part_length),
                  self->hold->from[1] + sim_between(self->rng, 4, height - part_height),
                  part_length, part_height);
        part.half[2] *= sim_between(self->rng, 0.2, 0.6);
        part.stuff.density *=
            sim_between(self->rng, 1.2, 2.4); /* parts are denser than the crate on average */
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
        return put_standing(self, x, length, height);
    case SIM_COILS:
        return put_coil(self, x, length, height);
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
    [SIM_PALLETS] = {{118, 122}, {1, 5}},  [SIM_BAGS] = {{55, 65}, {0, 1}},
    [SIM_BULK] = {{18, 24}, {0, 0}},       [SIM_DRUMS] = {{59, 60}, {0, 2}},
    [SIM_REELS] = {{100, 125}, {0, 3}},    [SIM_COILS] = {{110, 150}, {60, 160}},
    [SIM_BUNDLES] = {{290, 400}, {3, 25}}, [SIM_CRATES] = {{110, 240}, {5, 40}},
    [SIM_LOOSE] = {{35, 70}, {0, 1.5}},
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
        double length =
            sim_between(rng, stacks[goods->packing].length[0], stacks[goods->packing].length[1]);
        if (x + length > hold->to[0]) {
            length = hold->to[0] - x;
        }
        if (length < 15 || x >= reach) {
            return;
        }
        fill += ragged * rng_normal(rng);
        fill = fill < goods->fill[0]   ? goods->fill[0]
               : fill > goods->fill[1] ? goods->fill[1]
                                       : fill;
        if (!put_stack(&stowing, x, length, fill * hold_height)) {
            return;
        }
        x +=
            length + sim_between(rng, stacks[goods->packing].gap[0], stacks[goods->packing].gap[1]);
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
        struct sim_shape shape = {.form = rng_below(rng, 3) > 0 ? SIM_BOX
                                                                : (enum sim_form)rng_below(rng, 5),
                                  .stuff = goods->stuff};
        for (int i = 0; i < 3; i++) {
            shape.half[i] = inner[i] * sim_between(rng, 0.10, 0.34);
            shape.centre[i] =
                hold->from[i] + sim_between(rng, shape.half[i], inner[i] - shape.half[i]);
        }
        shape.turn = rng_below(rng, 2) > 0 ? sim_between(rng, -0.2, 0.2) : 0;
        shape.stuff.density *= sim_between(rng, 0.7, 1.8);
        double mass_kg = sim_shape_volume_cm3(&shape) * shape.stuff.density / 1000;
        double share = mass_kg > stowing.left_kg / 2 ? stowing.left_kg / 2 / mass_kg : 1;
        shape.half[2] *=
            share; /* nobody packs more than half of what may still be carried into one piece */
        (void)put(&stowing, shape);
    }
}
