/* SPDX-License-Identifier: Apache-2.0 */
#include "score/hs_chapter.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* The last chapter of each section. */
static const uint8_t section_last[HS_SECTIONS] = {0,  5,  14, 15, 24, 27, 38, 40, 43, 46, 49, 63,
                                                  67, 70, 71, 83, 85, 89, 92, 93, 96, 97, 99};

static const char *const words[HS_CHAPTERS] = {
    "",
    "live animals",
    "meat",
    "fish",
    "dairy, eggs, honey",
    "animal products",
    "live plants, flowers",
    "vegetables",
    "fruit, nuts",
    "coffee, tea, spices",
    "cereals",
    "flour, malt, starch",
    "oil seeds",
    "gums, resins",
    "plaiting materials",
    "fats and oils",
    "prepared meat, fish",
    "sugar",
    "cocoa",
    "bakery goods",
    "prepared fruit, vegetables",
    "other food preparations",
    "beverages",
    "feed, food residues",
    "tobacco",
    "salt, stone, cement",
    "ores",
    "fuels, oils",
    "inorganic chemicals",
    "organic chemicals",
    "pharmaceuticals",
    "fertilisers",
    "paints, dyes",
    "cosmetics, perfumes",
    "soap, waxes",
    "glues, proteins",
    "explosives, matches",
    "photographic goods",
    "other chemicals",
    "plastics",
    "rubber",
    "hides, leather",
    "leather goods",
    "furs",
    "wood",
    "cork",
    "basketwork",
    "pulp",
    "paper",
    "books, printed matter",
    "silk",
    "wool",
    "cotton",
    "other plant fibres",
    "synthetic filaments",
    "synthetic staple fibres",
    "felt, ropes",
    "carpets",
    "special fabrics",
    "coated fabrics",
    "knitted fabrics",
    "knitted clothing",
    "woven clothing",
    "other made-up textiles",
    "footwear",
    "headgear",
    "umbrellas, sticks",
    "feathers, wigs",
    "stone, plaster goods",
    "ceramics",
    "glass",
    "jewellery, precious metal",
    "iron and steel",
    "iron and steel goods",
    "copper",
    "nickel",
    "aluminium",
    "",
    "lead",
    "zinc",
    "tin",
    "other base metals",
    "tools, cutlery",
    "base metal goods",
    "machinery",
    "electrical goods",
    "railway goods",
    "vehicles",
    "aircraft",
    "ships",
    "instruments",
    "clocks, watches",
    "musical instruments",
    "arms, ammunition",
    "furniture, lamps",
    "toys, sports goods",
    "other manufactures",
    "art, antiques",
    "",
    "",
};

uint32_t hs_chapter_of(const char *hs_code)
{
    uint32_t digits = 0;
    uint32_t chapter = 0;
    for (; hs_code != NULL && *hs_code != '\0' && digits < 2; hs_code++) {
        if (*hs_code >= '0' && *hs_code <= '9') {
            chapter = 10 * chapter + (uint32_t)(*hs_code - '0');
            digits++;
        } else if (*hs_code != ' ' && *hs_code != '.') {
            return 0;
        }
    }
    return digits == 2 ? chapter : 0;
}

uint32_t hs_section_of(uint32_t chapter)
{
    uint32_t section = 0;
    while (section < HS_SECTIONS - 1 && section_last[section] < chapter) {
        section++;
    }
    return chapter < HS_CHAPTERS ? section : 0;
}

const char *hs_chapter_words(uint32_t chapter)
{
    return chapter < HS_CHAPTERS ? words[chapter] : "";
}

enum measure { BY_MASS, BY_VALUE, BY_LINES, MEASURES };

static double measure_of(const struct goods_line *line, enum measure by)
{
    double told = by == BY_MASS ? line->net_mass_kg : by == BY_VALUE ? line->value : 1;
    return isfinite(told) && told > 0 ? told : 0;
}

uint32_t hs_chapter_declared(const struct declaration *const *declarations, uint32_t count)
{
    double shares[MEASURES][HS_CHAPTERS] = {{0}};
    double all[MEASURES] = {0};
    bool whole[MEASURES] = {true, true, true};
    for (uint32_t i = 0; i < count; i++) {
        if (declarations[i]->declared_empty) {
            return 0;
        }
        for (uint32_t l = 0; l < declarations[i]->lines_count; l++) {
            const struct goods_line *line = &declarations[i]->lines[l];
            for (int by = 0; by < MEASURES; by++) {
                double told = measure_of(line, (enum measure)by);
                shares[by][hs_chapter_of(line->hs_code)] += told;
                all[by] += told;
                whole[by] = whole[by] && told > 0;
            }
        }
    }
    int by = whole[BY_MASS] ? BY_MASS : whole[BY_VALUE] ? BY_VALUE : BY_LINES;
    for (uint32_t chapter = 1; chapter < HS_CHAPTERS; chapter++) {
        if (all[by] > 0 && shares[by][chapter] >= HS_CHAPTER_SHARE_MIN * all[by]) {
            return chapter;
        }
    }
    return 0;
}
