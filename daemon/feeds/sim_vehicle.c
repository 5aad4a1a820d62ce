/* SPDX-License-Identifier: Apache-2.0 */
#include "feeds/sim_vehicle.h"

#include <math.h>

/* Shells are drawn from a few plates, beams and wheels: enough for a scorer to learn what an empty
 * one looks like. Wall thicknesses are of the two sides together where a side view sees both. */

static const struct sim_stuff steel = {SIM_STEEL, 7.85};
static const struct sim_stuff aluminium = {SIM_ALUMINIUM, 2.70};
static const struct sim_stuff plywood = {SIM_CELLULOSE, 0.65};
static const struct sim_stuff rubber = {SIM_RUBBER, 1.10};

struct drawing {
    struct sim_scene *scene;
    struct rng *rng;
    struct sim_vehicle *vehicle;
};

static void plate(struct drawing *self, const double from[2], const double to[2],
                  double thickness_cm, struct sim_stuff stuff)
{
    (void)sim_scene_add_box(self->scene, SIM_ROLE_SHELL, (double[]){from[0], from[1], 0},
                            (double[]){to[0], to[1], thickness_cm}, stuff);
}

static void wheel(struct drawing *self, double x, double y, double radius)
{
    struct sim_shape shape = {.form = SIM_CYLINDER_Z,
                              .role = SIM_ROLE_SHELL,
                              .centre = {x, y, 0},
                              .half = {radius, radius, 14},
                              .stuff = rubber};
    (void)sim_scene_add(self->scene, &shape);
    shape.half[0] = shape.half[1] = radius * 0.55;
    shape.half[2] = 3;
    shape.stuff = steel;
    shape.host = rubber; /* the rim is hollow: less rubber, a little steel */
    (void)sim_scene_add(self->scene, &shape);
}

static void nook(struct drawing *self, const char *place, const double from[3], const double to[3])
{
    must(self->vehicle->nooks_count < SIM_NOOKS_MAX);
    struct sim_nook *nook = &self->vehicle->nooks[self->vehicle->nooks_count++];
    nook->place = place;
    for (int i = 0; i < 3; i++) {
        nook->from[i] = from[i];
        nook->to[i] = to[i];
    }
}

/* A steel box with corner posts, plywood floor and cross members, inner width 235 cm. Its walls
 * stand at x0 and x1. */
static void container(struct drawing *self, double x0, double x1, double y0, double height)
{
    double y1 = y0 + height;
    plate(self, (double[]){x0, y0}, (double[]){x1, y1}, 0.40,
          steel); /* two corrugated walls of 2 mm */
    plate(self, (double[]){x0, y1 - 0.4}, (double[]){x1, y1}, 235, steel);       /* roof */
    plate(self, (double[]){x0, y1 - 10}, (double[]){x1, y1}, 1.2, steel);        /* top rails */
    plate(self, (double[]){x0, y0 + 13}, (double[]){x1, y0 + 16}, 235, plywood); /* floor */
    plate(self, (double[]){x0, y0}, (double[]){x1, y0 + 13}, 1.2, steel);        /* bottom rails */
    for (uint32_t i = 0; x0 + 15 + 31.0 * i < x1 - 15; i++) {
        double x = x0 + 15 + 31.0 * i;
        plate(self, (double[]){x, y0}, (double[]){x + 0.5, y0 + 12}, 235,
              steel); /* cross members */
    }
    for (uint32_t end = 0; end < 2; end++) {
        double x = end == 0 ? x0 : x1;
        double post = x > x0 ? x - 16 : x;
        plate(self, (double[]){post, y0}, (double[]){post + 16, y1}, 2.4, steel);
        plate(self, (double[]){x > x0 ? x - 2 : x, y0}, (double[]){x > x0 ? x : x + 2, y1}, 40,
              steel); /* end wall */
    }
    self->vehicle->hold = (struct sim_hold){{x0 + 8, y0 + 16, 4}, {x1 - 8, y1 - 12, 239}, 26000};
    nook(self, "front wall", (double[]){x0 + 3, y0 + 30, 20}, (double[]){x0 + 22, y1 - 30, 220});
    nook(self, "doors", (double[]){x1 - 20, y0 + 30, 20}, (double[]){x1 - 3, y1 - 30, 220});
    nook(self, "roof", (double[]){x0 + 40, y1 - 11, 30}, (double[]){x1 - 40, y1 - 1, 200});
    nook(self, "floor", (double[]){x0 + 40, y0 + 1, 30}, (double[]){x1 - 40, y0 + 12, 200});
}

static void chassis(struct drawing *self, double x0, double x1, double y)
{
    plate(self, (double[]){x0, y - 22}, (double[]){x1, y}, 2.4, steel);
    plate(self, (double[]){x0, y - 3}, (double[]){x1, y}, 24, steel);
    for (int i = 0; i < 3; i++) {
        wheel(self, x1 - 120 - 131 * i, 52, 50);
        plate(self, (double[]){x1 - 126 - 131 * i, 46}, (double[]){x1 - 114 - 131 * i, 58}, 190,
              steel); /* axle */
    }
    nook(self, "chassis box", (double[]){x0 + (x1 - x0) * 0.45, 60, 20},
         (double[]){x0 + (x1 - x0) * 0.45 + 70, y - 26, 60});
}

static void tractor(struct drawing *self, double x0)
{
    plate(self, (double[]){x0, 95}, (double[]){x0 + 220, 340}, 0.5,
          steel); /* cab skin, both sides */
    plate(self, (double[]){x0 + 30, 130}, (double[]){x0 + 90, 220}, 60,
          (struct sim_stuff){SIM_POLYETHYLENE, 0.10});
    plate(self, (double[]){x0 + 60, 70}, (double[]){x0 + 190, 165}, 75,
          (struct sim_stuff){SIM_STEEL, 2.2}); /* engine */
    plate(self, (double[]){x0, 75}, (double[]){x0 + 620, 98}, 2.4, steel);
    wheel(self, x0 + 140, 52, 50);
    wheel(self, x0 + 500, 52, 50);
    struct sim_shape tank = {.form = SIM_CYLINDER_X,
                             .role = SIM_ROLE_SHELL,
                             .centre = {x0 + 310, 66, 40},
                             .half = {55, 30, 33},
                             .stuff = {SIM_FUEL, 0.84 * sim_between(self->rng, 0.2, 0.95)}};
    (void)sim_scene_add(self->scene, &tank);
    nook(self, "fuel tank", (double[]){x0 + 265, 45, 20}, (double[]){x0 + 355, 85, 60});
    nook(self, "cab", (double[]){x0 + 130, 190, 30}, (double[]){x0 + 215, 250, 150});
}

static void build_truck(struct drawing *self)
{
    sim_scene_init(self->scene, 1700, 430);
    tractor(self, 30);
    chassis(self, 300, 1670, 115);
    double y1 = 400;
    /* Box trailer: sandwich walls with a thin sheet on each face. */
    plate(self, (double[]){310, 115}, (double[]){1670, y1}, 0.30, aluminium);
    plate(self, (double[]){310, 115}, (double[]){1670, y1}, 4,
          (struct sim_stuff){SIM_POLYETHYLENE, 0.05});
    plate(self, (double[]){310, y1 - 4}, (double[]){1670, y1}, 244,
          (struct sim_stuff){SIM_ALUMINIUM, 0.15});
    plate(self, (double[]){310, 118}, (double[]){1670, 121}, 244, plywood);
    plate(self, (double[]){310, 115}, (double[]){315, y1}, 244,
          (struct sim_stuff){SIM_ALUMINIUM, 0.3});
    plate(self, (double[]){1664, 115}, (double[]){1670, y1}, 244,
          (struct sim_stuff){SIM_ALUMINIUM, 0.25});
    self->vehicle->hold = (struct sim_hold){{320, 121, 4}, {1660, y1 - 8, 244}, 24000};
    self->vehicle->tare_kg = 14800;
    nook(self, "front wall", (double[]){313, 140, 20}, (double[]){332, 370, 220});
    nook(self, "roof", (double[]){360, y1 - 12, 30}, (double[]){1600, y1 - 1, 200});
}

static void build_sea(struct drawing *self)
{
    bool is_long = rng_uniform(self->rng) < 0.7;
    double length = is_long ? 1219 : 606;
    double height = is_long && rng_uniform(self->rng) < 0.7 ? 290 : 259;
    sim_scene_init(self->scene, length + 160, 440);
    chassis(self, 60, length + 110, 118);
    container(self, 80, 80 + length, 120, height);
    self->vehicle->tare_kg = is_long ? 3900 : 2250;
    self->vehicle->hold.payload_kg = is_long ? 26500 : 21500;
}

static void build_rail(struct drawing *self)
{
    sim_scene_init(self->scene, 1800, 470);
    plate(self, (double[]){50, 90}, (double[]){1750, 115}, 4, steel);
    plate(self, (double[]){50, 112}, (double[]){1750, 115}, 26, steel);
    for (int end = 0; end < 2; end++) {
        double x = end == 0 ? 260 : 1540;
        plate(self, (double[]){x - 120, 45}, (double[]){x + 120, 72}, 12, steel); /* bogie frame */
        for (int axle = -1; axle <= 1; axle += 2) {
            struct sim_shape shape = {.form = SIM_CYLINDER_Z,
                                      .role = SIM_ROLE_SHELL,
                                      .centre = {x + 90 * axle, 46, 0},
                                      .half = {46, 46, 6},
                                      .stuff = steel};
            (void)sim_scene_add(self->scene, &shape);
        }
    }
    plate(self, (double[]){60, 115}, (double[]){1740, 440}, 0.8, steel);
    plate(self, (double[]){60, 437}, (double[]){1740, 440}, 60, steel);
    plate(self, (double[]){60, 115}, (double[]){64, 440}, 60, steel);
    plate(self, (double[]){1736, 115}, (double[]){1740, 440}, 60, steel);
    plate(self, (double[]){60, 116}, (double[]){1740, 121}, 270, plywood);
    self->vehicle->hold = (struct sim_hold){{75, 121, 4}, {1725, 425, 274}, 58000};
    self->vehicle->tare_kg = 25000;
    nook(self, "end wall", (double[]){66, 140, 20}, (double[]){86, 400, 240});
    nook(self, "underframe", (double[]){700, 60, 40}, (double[]){1100, 88, 200});
    nook(self, "roof", (double[]){120, 424, 40}, (double[]){1680, 436, 240});
}

static void build_air(struct drawing *self)
{
    sim_scene_init(self->scene, 360, 200);
    plate(self, (double[]){20, 12}, (double[]){337, 16}, 150,
          (struct sim_stuff){SIM_ALUMINIUM, 1.2});
    plate(self, (double[]){20, 16}, (double[]){337, 175}, 0.3, aluminium);
    plate(self, (double[]){20, 174.7}, (double[]){337, 175}, 150, aluminium);
    for (uint32_t i = 0; i < 4; i++) {
        double x = 20 + 105.6 * i;
        plate(self, (double[]){x, 16}, (double[]){x + 3, 175}, 2.0, aluminium);
    }
    plate(self, (double[]){0, 2}, (double[]){360, 6}, 160,
          (struct sim_stuff){SIM_RUBBER, 0.25}); /* conveyor */
    self->vehicle->hold = (struct sim_hold){{25, 16, 3}, {332, 165, 147}, 4500};
    self->vehicle->tare_kg = 110;
    nook(self, "base plate", (double[]){40, 12.5, 20}, (double[]){320, 15.5, 130});
    nook(self, "roof", (double[]){40, 168, 20}, (double[]){320, 174, 130});
}

static void build_passenger(struct drawing *self)
{
    sim_scene_init(self->scene, 520, 190);
    double skin = 0.16; /* two sides of 0.8 mm */
    plate(self, (double[]){30, 25}, (double[]){490, 95}, skin, steel);
    plate(self, (double[]){150, 95}, (double[]){430, 148}, skin / 2, steel);
    plate(self, (double[]){150, 146}, (double[]){430, 148}, 110, steel);
    plate(self, (double[]){30, 22}, (double[]){490, 25}, 20, steel); /* floor pan and sills */
    plate(self, (double[]){70, 40}, (double[]){135, 85}, 50,
          (struct sim_stuff){SIM_ALUMINIUM, 1.1}); /* engine */
    plate(self, (double[]){75, 45}, (double[]){120, 70}, 30, (struct sim_stuff){SIM_STEEL, 1.5});
    for (int row = 0; row < 2; row++) {
        double x = row == 0 ? 210 : 310;
        plate(self, (double[]){x, 35}, (double[]){x + 50, 52}, 130,
              (struct sim_stuff){SIM_POLYETHYLENE, 0.06});
        struct sim_shape back = {.form = SIM_BOX,
                                 .role = SIM_ROLE_SHELL,
                                 .centre = {x + 52, 80, 60},
                                 .half = {7, 32, 60},
                                 .turn = -0.25,
                                 .stuff = {SIM_POLYETHYLENE, 0.07}};
        (void)sim_scene_add(self->scene, &back);
    }
    struct sim_shape tank = {.form = SIM_BOX,
                             .role = SIM_ROLE_SHELL,
                             .centre = {355, 35, 50},
                             .half = {30, 9, 40},
                             .stuff = {SIM_FUEL, 0.74 * sim_between(self->rng, 0.1, 0.95)}};
    (void)sim_scene_add(self->scene, &tank);
    wheel(self, 110, 32, 31);
    wheel(self, 405, 32, 31);
    self->vehicle->hold = (struct sim_hold){{385, 48, 20}, {480, 95, 120}, 220};
    self->vehicle->tare_kg = 1350;
    nook(self, "door panel", (double[]){200, 40, 2}, (double[]){290, 85, 9});
    nook(self, "rear seat", (double[]){305, 37, 20}, (double[]){355, 52, 120});
    nook(self, "fuel tank", (double[]){330, 28, 20}, (double[]){380, 42, 80});
    nook(self, "spare wheel", (double[]){410, 40, 40}, (double[]){460, 50, 90});
    nook(self, "dashboard", (double[]){160, 70, 20}, (double[]){195, 95, 110});
}

static void build_mail(struct drawing *self)
{
    double length = sim_between(self->rng, 18, 54), height = sim_between(self->rng, 8, 38);
    double depth = sim_between(self->rng, 15, 40);
    sim_scene_init(self->scene, 64, 48);
    plate(self, (double[]){0, 1}, (double[]){64, 2}, 50,
          (struct sim_stuff){SIM_RUBBER, 0.5}); /* belt */
    double x0 = (64 - length) / 2 + sim_between(self->rng, -4, 4), y0 = 2;
    struct sim_stuff board = {SIM_CELLULOSE, 0.65};
    plate(self, (double[]){x0, y0}, (double[]){x0 + length, y0 + height}, 0.8, board);
    plate(self, (double[]){x0, y0}, (double[]){x0 + length, y0 + 0.4}, depth, board);
    plate(self, (double[]){x0, y0 + height - 0.4}, (double[]){x0 + length, y0 + height}, depth,
          board);
    plate(self, (double[]){x0, y0}, (double[]){x0 + 0.4, y0 + height}, depth, board);
    plate(self, (double[]){x0 + length - 0.4, y0}, (double[]){x0 + length, y0 + height}, depth,
          board);
    self->vehicle->hold = (struct sim_hold){
        {x0 + 0.6, y0 + 0.6, 0.6}, {x0 + length - 0.6, y0 + height - 0.6, depth - 0.6}, 20};
    self->vehicle->tare_kg = 0.2;
    nook(self, "lining", (double[]){x0 + 0.5, y0 + 0.5, 1},
         (double[]){x0 + length - 0.5, y0 + 2.0, depth - 1});
    nook(self, "side lining", (double[]){x0 + 0.5, y0 + 2, 1},
         (double[]){x0 + 2.0, y0 + height - 2, depth - 1});
}

void sim_vehicle_build(enum mode mode, struct rng *rng, struct sim_scene *scene,
                       struct sim_vehicle *out)
{
    static void (*const builders[MODE_COUNT])(struct drawing *) = {
        [MODE_TRUCK] = build_truck, [MODE_PASSENGER] = build_passenger,
        [MODE_RAIL] = build_rail,   [MODE_SEA] = build_sea,
        [MODE_AIR] = build_air,     [MODE_MAIL] = build_mail};
    must(mode > MODE_UNKNOWN && mode < MODE_COUNT);
    *out = (struct sim_vehicle){0};
    builders[mode](&(struct drawing){scene, rng, out});
    must(out->hold.to[0] > out->hold.from[0] && out->nooks_count > 0);
}
