/* SPDX-License-Identifier: Apache-2.0 */
#include "feeds/sim_scene.h"

#include <math.h>
#include <stddef.h>

#define PI 3.14159265358979323846

void sim_scene_init(struct sim_scene *self, double width_cm, double height_cm)
{
    self->width_cm = width_cm;
    self->height_cm = height_cm;
    self->shapes_count = 0;
    self->full = false;
}

struct sim_shape *sim_scene_add(struct sim_scene *self, const struct sim_shape *shape)
{
    must(shape->half[0] >= 0 && shape->half[1] >= 0 && shape->half[2] >= 0 &&
         shape->stuff.density >= 0);
    if (self->shapes_count == SIM_SHAPES_MAX) {
        self->full = true;
        return NULL;
    }
    self->shapes[self->shapes_count] = *shape;
    return &self->shapes[self->shapes_count++];
}

struct sim_shape *sim_scene_add_box(struct sim_scene *self, enum sim_role role,
                                    const double from[3], const double to[3],
                                    struct sim_stuff stuff)
{
    struct sim_shape shape = {.form = SIM_BOX, .role = role, .stuff = stuff};
    for (int i = 0; i < 3; i++) {
        shape.centre[i] = (from[i] + to[i]) / 2;
        shape.half[i] = fabs(to[i] - from[i]) / 2;
    }
    return sim_scene_add(self, &shape);
}

double sim_shape_volume_cm3(const struct sim_shape *shape)
{
    double block = 8 * shape->half[0] * shape->half[1] * shape->half[2];
    switch (shape->form) {
    case SIM_BOX:
        return block;
    case SIM_ELLIPSOID:
        return block * PI / 6;
    default:
        return block * PI / 4;
    }
}

double sim_shape_path_cm(const struct sim_shape *shape, double x_cm, double y_cm)
{
    double dx = x_cm - shape->centre[0], dy = y_cm - shape->centre[1];
    double u = dx, v = dy;
    if (shape->turn != 0) {
        double c = cos(shape->turn), s = sin(shape->turn);
        u = c * dx + s * dy;
        v = c * dy - s * dx;
    }
    u /= shape->half[0];
    v /= shape->half[1];
    double full = 2 * shape->half[2];
    switch (shape->form) {
    case SIM_BOX:
        return fabs(u) < 1 && fabs(v) < 1 ? full : 0;
    case SIM_CYLINDER_X:
        return fabs(u) < 1 && fabs(v) < 1 ? full * sqrt(1 - v * v) : 0;
    case SIM_CYLINDER_Y:
        return fabs(u) < 1 && fabs(v) < 1 ? full * sqrt(1 - u * u) : 0;
    case SIM_CYLINDER_Z:
        return u * u + v * v < 1 ? full : 0;
    default:
        return u * u + v * v < 1 ? full * sqrt(1 - u * u - v * v) : 0;
    }
}

void sim_shape_bounds(const struct sim_shape *shape, double *half_x_cm, double *half_y_cm)
{
    double c = fabs(cos(shape->turn)), s = fabs(sin(shape->turn));
    *half_x_cm = c * shape->half[0] + s * shape->half[1];
    *half_y_cm = s * shape->half[0] + c * shape->half[1];
}

double sim_scene_mass_kg(const struct sim_scene *self, enum sim_role role)
{
    double mass_g = 0;
    for (uint32_t i = 0; i < self->shapes_count; i++) {
        const struct sim_shape *shape = &self->shapes[i];
        double volume_cm3 = sim_shape_volume_cm3(shape);
        if (shape->role == role) {
            mass_g += volume_cm3 * shape->stuff.density;
        }
        if (shape->host_role == role) {
            mass_g -= volume_cm3 * shape->host.density;
        }
    }
    return mass_g > 0 ? mass_g / 1000 : 0;
}
