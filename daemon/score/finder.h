/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_FINDER_H
#define SCORE_FINDER_H

/* Finder: a small network that marks objects of the kind that officers marked, on a working image.
 *
 * working image -> four or eight planes of bytes -> convnet -> one cell for 4 x 4 working pixels
 * with a heat logit and the size of the box that stands there -> peaks, best first -> boxes. All
 * sums are whole numbers; a logit is one product of a float, so a finding has the same bits on
 * every processor. Part of an appearance model (appearance.h); models without one have no marks. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "archive/model_file.h"
#include "base/err.h"
#include "kernels/convnet.h"
#include "kernels/convnet_gated.h"
#include "score/working.h"

enum {
    FINDER_CHANNELS = 4,     /* planes */
    FINDER_CHANNELS_MAX = 8, /* with those of material */
    FINDER_CELL = 4,         /* working pixels of a cell's side: the strides of the network */
    FINDER_OUTPUTS = 5,      /* of a cell: heat, log(width / box), log(height / box), and how far
                                its centre lies right of and below the cell's, in boxes */
    FINDER_REDUCTION_MAX = 64,
    FINDER_VIEWS_MAX = 4,
    FINDER_NETWORKS_MAX = 4,
    FINDER_PLACES_MAX = 16,
    FINDER_GATE_SIDE = 3,
    FINDER_GATE_SHARE_MAX = 1 << 16,
    FINDER_LOCAL_RADIUS = 16,    /* the local mean is over 33 x 33 working pixels */
    FINDER_MATERIAL_RADIUS = 32, /* with planes of material over 65 x 65 */
    FINDER_BOXES_MAX = 20,       /* of an image */
};

/* How many cells cover so many working pixels. */
static inline size_t finder_cells(size_t pixels)
{
    return (pixels + FINDER_CELL - 1) / FINDER_CELL;
}

/* What becomes of an attenuation A; all of it is in the model file.
 *
 *   plane 0   255 A / a_max
 *   plane 1   128 + contrast * (level - mean level of the valid pixels of 33 x 33 around), in
 *             levels of plane 0 before rounding
 *   plane 2   1 + 254 (R - ratio_low) / (ratio_high - ratio_low), R = A_low / A; 0 without a
 *             low-energy image and where A <= ratio_least
 *   plane 3   255
 *
 * each rounded and held within 0..255 (plane 2: 1..255); all 0 where the working image is not
 * valid. With material > 0 there are eight, which both energies make together
 * (kernels/dual_planes.h has the roundings): E = A_low - (ratio_low + ratio_high) / 2 * A, over 3 x
 * 3 pixels, tells what something is made of, as A tells how much of it there is, and both are held
 * against what is around at three sizes: an edge stands out from 7 x 7 pixels in a load of any
 * height, a block from 65 x 65.
 *
 *   plane 0   as above
 *   plane 1   128 + contrast * (level - mean level of the valid pixels of 65 x 65 around)
 *   plane 5   128 + 1.3 contrast * (the same of 17 x 17)
 *   plane 4   128 + 2.6 contrast * (the same of 7 x 7)
 *   plane 2   as above, of R = sum A_low / sum A of 3 x 3 pixels; 0 where mean A <= ratio_least
 *   plane 3   128 + material * (E - mean E of the valid pixels of 65 x 65 around)
 *   plane 6   128 + 3 material * (the same of 17 x 17)
 *   plane 7   255
 */
struct finder_input {
    double a_max;     /* > 0 */
    double contrast;  /* >= 0 */
    double ratio_low; /* < ratio_high */
    double ratio_high;
    double ratio_least; /* > 0 */
    double material;    /* >= 0; 0: four planes */
};

/* What suits each meaning of pixels: DISPLAY over the whole range of greys; TRANSMISSION up to
 * A = 6, beyond which 8 and 16 bit scans show noise. */
struct finder_input finder_input_default(enum image_meaning meaning);

static inline uint32_t finder_channels(const struct finder_input *input)
{
    return input->material > 0 ? FINDER_CHANNELS_MAX : FINDER_CHANNELS;
}

size_t finder_planes_workspace_bytes(size_t width);
/* planes[height][width][finder_channels(input)]. low_pixels as working_make_low() gives them, or
 * NULL. Training and scoring call this one function. The workspace is aligned to 8 bytes. */
void finder_planes(const struct finder_input *input, const struct working *working,
                   const float *low_pixels, void *restrict workspace, uint8_t *restrict planes);

struct finder_model {
    /* Of the same layers, each taught for itself; what a cell has is the mean of what it has in
     * all. Arrays and `packed` lie in `storage`: weights of one network after another, so nets[0]
     * has where those of all begin, biases and scales likewise. */
    struct convnet nets[FINDER_NETWORKS_MAX];
    const void *packed[FINDER_NETWORKS_MAX];
    uint32_t networks; /* 1..FINDER_NETWORKS_MAX */
    struct finder_input input;
    double box; /* working pixels: a usual side of the objects it was trained on */
    uint32_t
        reduction;   /* 1..FINDER_REDUCTION_MAX: it was trained on images reduced so many times */
    uint32_t views;  /* of an image, that a cell's heat is the mean of: 1; 2, mirrored as well; 4,
                        both pushed by half a cell as well */
    uint32_t places; /* 0: all networks look in all views at all of the image; else 1..
                        FINDER_PLACES_MAX: at so many, which one network chose by one look */
    bool pooled;     /* heats of boxes are finder_map_pooled(), not those of their cells */
    /* Of a model of one look by one network. depth 0: all layers look at every cell; else those
     * after it at one in gate_share and what lies around it (finder_gate.h). */
    struct convnet_gate gate;
    uint32_t gate_share; /* 2..FINDER_GATE_SHARE_MAX */
    double slope;        /* calibrated logit = slope * heat + offset; slope > 0 */
    double offset;
    void *storage;
};

/* What to give working_make() so that an image this high is reduced as the finder wants it. A
 * space for less than that reduces more, and the finder then looks for objects of another size. */
static inline uint32_t finder_working_height(uint32_t reduction, uint32_t image_height)
{
    return (image_height + reduction - 1) / reduction;
}

/* A box's side is 1/20 to 55 usual ones: what an output beyond that means. */
static inline double finder_log_side(float output)
{
    double held = (double)output > -3 ? (double)output : -3; /* NaN: -3 */
    return held < 4 ? held : 4;
}

/* Room for 1..FINDER_NETWORKS_MAX networks with the layers of `shape`, of which only the counts are
 * read; all numbers are 0, then filled in by the caller. ARGUMENT when the counts are no finder's:
 * 4 or 8 channels in, 5 out, strides that make FINDER_CELL. On success the caller finis. */
MUST_USE struct err finder_model_init(struct finder_model *self, const struct convnet *shape,
                                      uint32_t networks);
/* A gate after the first `depth` layers, all zero, for the caller to fill in the weights
 * [FINDER_GATE_SIDE][FINDER_GATE_SIDE][in] of; depth 0: none. ARGUMENT when the network has no such
 * place. */
MUST_USE struct err finder_model_set_gate(struct finder_model *self, uint32_t depth,
                                          uint32_t share);
/* Once everything is filled in: checks all numbers and packs the network for finder_run().
 * MODEL_UNREADABLE names what is wrong. */
MUST_USE struct err finder_model_settle(struct finder_model *self);
void finder_model_fini(struct finder_model *self);
/* Of all networks together. */
struct finder_numbers {
    size_t weights;
    size_t outputs; /* biases, and as many scales */
};
struct finder_numbers finder_numbers(const struct finder_model *model);
/* Of a settled one. */
MUST_USE struct err finder_copy(const struct finder_model *self, struct finder_model *out);
/* One finder with the networks of all, in their order, and everything else from the first. Settled
 * ones of the same layers, for the same planes, box and reduction, that look alike; else, or with
 * more than FINDER_NETWORKS_MAX networks, ARGUMENT. */
MUST_USE struct err finder_join(const struct finder_model *const *parts, uint32_t count,
                                struct finder_model *out);

/* The finder in a model file; *found is false, and nothing to fini, when it has none.
 * MODEL_UNREADABLE when a part is missing, of the wrong shape or out of range. */
MUST_USE struct err finder_read(const struct model_file *file, bool *found,
                                struct finder_model *out);
/* Adds a settled one to a file that is being made. */
MUST_USE struct err finder_add(const struct finder_model *self, struct model_file *file);

/* What a run needs; all zero to start. One thread a space. */
struct finder_space {
    size_t width_max;
    size_t height_max;
    size_t net_bytes;
    uint32_t channels_max;
    uint8_t *planes;
    void *rows;
    void *net;
    float *cells;         /* of the last run: [ceil(height / 4)][ceil(width / 4)][FINDER_OUTPUTS] */
    uint8_t *view_planes; /* NULL: only models of one view by one network were fitted */
    float *view_cells;
    float *view_sums;
    float *promise; /* NULL: only models without a gate were fitted */
    uint8_t *wanted;
};

/* Makes it large enough for this model and working images of that size; keeps it when it is. The
 * only function here that allocates on the way to a score: called when a model is installed. */
MUST_USE struct err finder_space_fit(struct finder_space *self, const struct finder_model *model,
                                     size_t width_max, size_t height_max);
void finder_space_fini(struct finder_space *self);

struct finder_box {
    uint32_t x; /* in pixels of the original image, inside it */
    uint32_t y;
    uint32_t width; /* >= 1 */
    uint32_t height;
    double heat;  /* of its cell, or of the place around it when the model pools */
    double logit; /* calibrated: of the odds that an officer would have marked it */
};

/* 1 / (1 + e^-logit) to 1e-13, with the same bits everywhere, unlike libm's: regions of a score are
 * replayed bit by bit. */
double finder_probability(double logit);

/* What the model has for every cell of an image of which these are the planes, into self->cells.
 * The model is settled, the space was fitted to it and to images of this size. */
void finder_look_at(struct finder_space *self, const struct finder_model *model,
                    const struct convnet_image *planes);

/* Objects of the image, best first; returns how many. A peak is a cell that is the highest of 5 x 5
 * and not without any valid pixel; its box stands where the cell says; of boxes that share more
 * than 0.3 of their union, or 0.6 of the smaller, only the better one is there. 0 only when nothing
 * is valid. The model is settled, the space was fitted to it and to images of this size. */
uint32_t finder_run(struct finder_space *self, const struct finder_model *model,
                    const struct working *working, const float *low_pixels,
                    const struct image *image, struct finder_box out[FINDER_BOXES_MAX]);

#endif
