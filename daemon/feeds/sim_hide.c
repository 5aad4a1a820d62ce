/* SPDX-License-Identifier: Apache-2.0 */
#include "feeds/sim_hide.h"

#include <math.h>
#include <stdio.h>

/* Amounts are of the order that customs press releases tell: grams of fentanyl in a parcel, tens to
 * hundreds of kg of cocaine in a container. A block of contraband has the density of pressed
 * powder. */

#define ROAD (1u << MODE_TRUCK | 1u << MODE_SEA | 1u << MODE_RAIL)
#define CAR (1u << MODE_PASSENGER)
#define AIR (1u << MODE_AIR)
#define MAIL (1u << MODE_MAIL)

static const struct contraband {
    const char *what;
    struct sim_stuff stuff;
    double mass_kg[2]; /* drawn evenly in the logarithm */
    double lead_cm;    /* shielding around it */
    uint32_t modes;
} contrabands[] = {
    {"cocaine", {SIM_COCAINE, 1.05}, {20, 400}, 0, ROAD},
    {"cocaine", {SIM_COCAINE, 1.05}, {1, 30}, 0, CAR | AIR},
    {"heroin", {SIM_HEROIN, 1.00}, {5, 80}, 0, ROAD},
    {"heroin", {SIM_HEROIN, 1.00}, {0.2, 6}, 0, CAR | MAIL},
    {"fentanyl", {SIM_FENTANYL, 0.80}, {0.05, 1.0}, 0, MAIL},
    {"fentanyl", {SIM_FENTANYL, 0.80}, {0.5, 8}, 0, CAR | AIR},
    {"cigarettes", {SIM_CELLULOSE, 0.30}, {100, 2500}, 0, ROAD},
    {"cigarettes", {SIM_CELLULOSE, 0.30}, {2, 12}, 0, CAR},
    {"cash", {SIM_CELLULOSE, 0.85}, {2, 60}, 0, ROAD | CAR},
    {"explosive", {SIM_EXPLOSIVE, 1.60}, {5, 120}, 0, ROAD},
    {"explosive", {SIM_EXPLOSIVE, 1.60}, {0.3, 5}, 0, CAR | AIR | MAIL},
    {"firearms", {SIM_STEEL, 5.0}, {8, 90}, 0, ROAD | CAR},
    {"firearm parts", {SIM_STEEL, 5.0}, {0.4, 2.5}, 0, MAIL | AIR},
    {"shielded source", {SIM_STEEL, 7.8}, {0.2, 1.0}, 3.0, ROAD},
    {"person", {SIM_WATER, 1.00}, {55, 90}, 0, ROAD},
};

static const struct contraband *draw_contraband(enum mode mode, struct rng *rng)
{
    uint32_t fitting = 0;
    uint32_t count = sizeof contrabands / sizeof contrabands[0];
    for (uint32_t i = 0; i < count; i++) {
        fitting += contrabands[i].modes >> mode & 1u;
    }
    must(fitting > 0);
    uint64_t wanted = rng_below(rng, fitting);
    for (uint32_t i = 0; i < count; i++) {
        if ((contrabands[i].modes >> mode & 1u) != 0 && wanted-- == 0) {
            return &contrabands[i];
        }
    }
    must(false);
    return NULL;
}

static void stretch(double from[2], double to[2], const struct sim_shape *shape)
{
    double half[2];
    sim_shape_bounds(shape, &half[0], &half[1]);
    for (int i = 0; i < 2; i++) {
        from[i] = fmin(from[i], shape->centre[i] - half[i]);
        to[i] = fmax(to[i], shape->centre[i] + half[i]);
    }
}

/* A shape of the wanted volume within a room: as cubic as the room allows. */
static void fit_in_room(struct sim_shape *shape, double volume_cm3, const double room[3])
{
    double side = cbrt(volume_cm3);
    double left_over = volume_cm3;
    double extent[3];
    for (int i = 2; i >= 0;
         i--) { /* depth first: along the beam it shows most and hides best from a look inside */
        double others = i == 2 ? side * side : i == 1 ? sqrt(left_over) : 1;
        extent[i] = i == 0 ? left_over : fmin(room[i], i == 1 ? others : left_over / others);
        extent[i] = fmin(fmax(extent[i], 0.2), room[i]);
        left_over /= extent[i];
    }
    for (int i = 0; i < 3; i++) {
        shape->half[i] = extent[i] / 2;
    }
}

/* A random piece of the goods that is large enough to hold something; NULL when there is none. */
static const struct sim_shape *draw_goods_shape(const struct sim_scene *scene, double volume_cm3,
                                                struct rng *rng)
{
    const struct sim_shape *chosen = NULL;
    uint64_t seen = 0;
    for (uint32_t i = 0; i < scene->shapes_count; i++) {
        const struct sim_shape *shape = &scene->shapes[i];
        if (shape->role == SIM_ROLE_GOODS && sim_shape_volume_cm3(shape) > 1.5 * volume_cm3 &&
            rng_below(rng, ++seen) == 0) {
            chosen = shape;
        }
    }
    return chosen;
}

static void place_in_goods(struct sim_shape *shape, const struct sim_shape *goods,
                           double volume_cm3, struct rng *rng)
{
    double room[3];
    for (int i = 0; i < 3; i++) {
        room[i] = 1.8 * goods->half[i];
    }
    fit_in_room(shape, volume_cm3, room);
    for (int i = 0; i < 3; i++) {
        double slack = goods->half[i] - shape->half[i];
        shape->centre[i] = goods->centre[i] + sim_between(rng, -slack, slack);
    }
    shape->turn = goods->turn;
    shape->host = goods->stuff;
    shape->host_role = SIM_ROLE_GOODS;
}

static void place_in_nook(struct sim_shape *shape, const struct sim_nook *nook, double volume_cm3,
                          struct rng *rng)
{
    double room[3];
    for (int i = 0; i < 3; i++) {
        room[i] = nook->to[i] - nook->from[i];
    }
    fit_in_room(shape, volume_cm3, room);
    for (int i = 0; i < 3; i++) {
        shape->centre[i] =
            nook->from[i] + sim_between(rng, shape->half[i], room[i] - shape->half[i]);
    }
}

static void add_shielding(struct sim_shape core, double lead_cm, struct sim_scene *scene,
                          struct sim_hidden *out)
{
    struct sim_shape shield = core;
    shield.stuff = (struct sim_stuff){SIM_LEAD, 11.34};
    for (int i = 0; i < 3; i++) {
        shield.half[i] += lead_cm;
    }
    shield.role = SIM_ROLE_ODDITY; /* heavy, but not the contraband itself */
    (void)sim_scene_add(scene, &shield);
    stretch(out->from_cm, out->to_cm, &shield);
    core.host = shield.stuff;
    core.host_role = SIM_ROLE_ODDITY;
    (void)sim_scene_add(scene, &core);
}

/* Long guns are barrel and receiver, a person is trunk and head; everything else is a block of
 * packets. */
static void shape_up(const struct contraband *kind, struct sim_shape *shape, struct rng *rng)
{
    if (kind->stuff.material == SIM_WATER) {
        double volume = sim_shape_volume_cm3(shape);
        shape->form = SIM_ELLIPSOID;
        shape->half[0] = 22;
        shape->half[2] = 16;
        shape->half[1] = volume / (4.18879 * 22 * 16);
    } else if (kind->stuff.material == SIM_STEEL && kind->lead_cm <= 0) {
        shape->form = rng_below(rng, 2) > 0 ? SIM_BOX : SIM_CYLINDER_X;
    }
}

void sim_hide_contraband(enum mode mode, const struct sim_vehicle *vehicle, struct rng *rng,
                         struct sim_scene *scene, struct sim_hidden *out)
{
    const struct contraband *kind = draw_contraband(mode, rng);
    double wanted_kg =
        kind->mass_kg[0] * pow(kind->mass_kg[1] / kind->mass_kg[0], rng_uniform(rng));
    double volume_cm3 = wanted_kg * 1000 / kind->stuff.density;
    struct sim_shape shape = {.form = SIM_BOX, .role = SIM_ROLE_HIDDEN, .stuff = kind->stuff};
    const struct sim_shape *goods = draw_goods_shape(scene, volume_cm3, rng);
    bool in_goods = goods != NULL && rng_uniform(rng) < 0.65;
    *out = (struct sim_hidden){.what = kind->what, .from_cm = {1e9, 1e9}, .to_cm = {-1e9, -1e9}};
    if (in_goods) {
        place_in_goods(&shape, goods, volume_cm3, rng);
        (void)snprintf(out->place, sizeof out->place, "goods");
    } else {
        const struct sim_nook *nook = &vehicle->nooks[rng_below(rng, vehicle->nooks_count)];
        place_in_nook(&shape, nook, volume_cm3, rng);
        (void)snprintf(out->place, sizeof out->place, "%s", nook->place);
    }
    shape_up(kind, &shape, rng);
    out->mass_kg = sim_shape_volume_cm3(&shape) * shape.stuff.density / 1000; /* what fitted */
    stretch(out->from_cm, out->to_cm, &shape);
    if (kind->lead_cm > 0) {
        add_shielding(shape, kind->lead_cm, scene, out);
    } else {
        (void)sim_scene_add(scene, &shape);
    }
}

/* ---- oddities ---- */

static const struct oddity {
    const char *what;
    enum sim_form form;
    struct sim_stuff stuff;
    double half[3];
    int where; /* 0 in a nook, 1 in the hold, 2 along the whole front wall of the hold */
    uint32_t modes;
} oddities[] = {
    {"spare wheel under the floor",
     SIM_CYLINDER_Z,
     {SIM_RUBBER, 1.0},
     {48, 48, 12},
     0,
     1u << MODE_TRUCK | 1u << MODE_SEA},
    {"reefer machinery",
     SIM_BOX,
     {SIM_STEEL, 0.55},
     {20, 95, 70},
     2,
     1u << MODE_TRUCK | 1u << MODE_SEA},
    {"double wall", SIM_BOX, {SIM_POLYETHYLENE, 0.06}, {5, 110, 115}, 2, ROAD},
    {"repair patch", SIM_BOX, {SIM_STEEL, 7.85}, {25, 25, 0.15}, 1, ROAD | AIR},
    {"tool box", SIM_BOX, {SIM_STEEL, 0.9}, {25, 12, 15}, 1, ROAD | CAR},
    {"load binders", SIM_CYLINDER_X, {SIM_STEEL, 7.85}, {30, 1.5, 1.5}, 1, ROAD | AIR},
    {"dunnage", SIM_BOX, {SIM_CELLULOSE, 0.45}, {60, 8, 40}, 1, ROAD | AIR},
    {"child seat", SIM_ELLIPSOID, {SIM_POLYETHYLENE, 0.15}, {20, 25, 20}, 1, CAR},
    {"gas tank conversion", SIM_CYLINDER_Z, {SIM_STEEL, 0.8}, {15, 15, 30}, 1, CAR},
    {"heat pack", SIM_BOX, {SIM_STEEL, 1.2}, {4, 5, 0.5}, 1, MAIL | AIR},
    {"battery pack", SIM_BOX, {SIM_ELECTRONICS, 2.2}, {4, 3, 1.2}, 1, MAIL},
    {"metal clasp", SIM_CYLINDER_X, {SIM_STEEL, 7.85}, {3, 0.4, 0.4}, 1, MAIL},
    {"foil bag", SIM_BOX, {SIM_ALUMINIUM, 2.7}, {6, 5, 0.02}, 1, MAIL},
};

static void place_oddity(const struct oddity *kind, const struct sim_vehicle *vehicle,
                         struct rng *rng, struct sim_shape *shape)
{
    double from[3], to[3];
    const struct sim_nook *nook = &vehicle->nooks[rng_below(rng, vehicle->nooks_count)];
    for (int i = 0; i < 3; i++) {
        from[i] = kind->where == 0 ? nook->from[i] : vehicle->hold.from[i];
        to[i] = kind->where == 0 ? nook->to[i] : vehicle->hold.to[i];
        shape->half[i] = fmin(kind->half[i], (to[i] - from[i]) / 2);
        shape->centre[i] = sim_between(rng, from[i] + shape->half[i], to[i] - shape->half[i]);
    }
    if (kind->where == 2) {
        shape->centre[0] = from[0] + shape->half[0];
        shape->centre[1] = (from[1] + to[1]) / 2;
    }
}

void sim_hide_oddity(enum mode mode, const struct sim_vehicle *vehicle, struct rng *rng,
                     struct sim_scene *scene, struct sim_oddity *out)
{
    uint32_t count = sizeof oddities / sizeof oddities[0], fitting = 0;
    for (uint32_t i = 0; i < count; i++) {
        fitting += oddities[i].modes >> mode & 1u;
    }
    must(fitting > 0);
    uint64_t wanted = rng_below(rng, fitting);
    const struct oddity *kind = oddities;
    while ((kind->modes >> mode & 1u) == 0 || wanted-- > 0) {
        kind++;
    }
    struct sim_shape shape = {.form = kind->form, .role = SIM_ROLE_ODDITY, .stuff = kind->stuff};
    place_oddity(kind, vehicle, rng, &shape);
    (void)sim_scene_add(scene, &shape);
    *out = (struct sim_oddity){.what = kind->what, .from_cm = {1e9, 1e9}, .to_cm = {-1e9, -1e9}};
    stretch(out->from_cm, out->to_cm, &shape);
}
