/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_SCENE_H
#define SIM_SCENE_H

/* Sim scene: a load as simple shapes. Centimetres; x runs along the vehicle, y up, z along the
 * beam, which is parallel. A shape adds density * path to its material; where it displaces
 * something (`host`) that is taken away again. Pure; caller's memory. */

#include <stdbool.h>
#include <stdint.h>

#include "feeds/sim_material.h"

#define SIM_SHAPES_MAX 4096u

enum sim_form {
    SIM_BOX,
    SIM_CYLINDER_X, /* axis along x; half[1], half[2] are its radii */
    SIM_CYLINDER_Y,
    SIM_CYLINDER_Z, /* axis along the beam */
    SIM_ELLIPSOID
};

enum sim_role {
    SIM_ROLE_SHELL,
    SIM_ROLE_GOODS,
    SIM_ROLE_PACKING,
    SIM_ROLE_HIDDEN,
    SIM_ROLE_ODDITY,
    SIM_ROLE_COUNT
};

struct sim_stuff {
    enum sim_material material;
    double density; /* g/cm3 */
};

struct sim_shape {
    enum sim_form form;
    enum sim_role role;
    double centre[3];
    double half[3];
    double turn; /* radians in the image plane, about the centre */
    struct sim_stuff stuff;
    struct sim_stuff host;   /* density 0: nothing is displaced */
    enum sim_role host_role; /* whose mass the displaced stuff was */
};

struct sim_scene {
    double width_cm; /* the scanner's field: x in 0..width, y in 0..height */
    double height_cm;
    uint32_t shapes_count;
    bool full; /* a shape did not fit any more */
    struct sim_shape shapes[SIM_SHAPES_MAX];
};

void sim_scene_init(struct sim_scene *self, double width_cm, double height_cm);
/* Ignored (and remembered in full) when there is no room. Returns the shape, valid until the next
 * init, or NULL. */
struct sim_shape *sim_scene_add(struct sim_scene *self, const struct sim_shape *shape);
/* Box from its corners; the commonest shape. */
struct sim_shape *sim_scene_add_box(struct sim_scene *self, enum sim_role role,
                                    const double from[3], const double to[3],
                                    struct sim_stuff stuff);
double sim_shape_volume_cm3(const struct sim_shape *shape);
/* Path through the shape of the ray at (x, y), cm. */
double sim_shape_path_cm(const struct sim_shape *shape, double x_cm, double y_cm);
/* Half extents of the shape's bounding box in the image plane, turned. */
void sim_shape_bounds(const struct sim_shape *shape, double *half_x_cm, double *half_y_cm);
/* kg of all shapes of a role, less what other shapes displace of it. */
double sim_scene_mass_kg(const struct sim_scene *self, enum sim_role role);

#endif
