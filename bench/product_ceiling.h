/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_PRODUCT_CEILING_H
#define BENCH_PRODUCT_CEILING_H

/* Product_ceiling: what one core can multiply and add at most, from registers alone, with the
 * widest instructions it has. Operations a second of the processor: a product and its sum are two.
 */

enum product_ceiling {
    PRODUCT_CEILING_FLOAT,     /* fused multiply-add */
    PRODUCT_CEILING_BYTE,      /* VPDPBUSD */
    PRODUCT_CEILING_TILE,      /* TDPBSUD */
    PRODUCT_CEILING_BYTE_HALF, /* VPDPBUSD of AVX-VNNI */
    PRODUCT_CEILING_BYTE_AVX2, /* VPMADDUBSW, VPMADDWD and an addition */
};

/* One round; 0 where this processor has no such instruction. */
double product_ceiling(enum product_ceiling which);
#endif
