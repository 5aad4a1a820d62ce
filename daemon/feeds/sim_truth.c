/* SPDX-License-Identifier: Apache-2.0 */
#include "feeds/sim_truth.h"

#include "base/clock.h"

/* No text here holds a comma, a quote or a newline: all come from the tables of this folder. */

static const char *or_none(const char *text)
{
    return text != NULL ? text : "";
}

void sim_truth_csv_header(struct text_buffer *out)
{
    text_buffer_add(
        out, "index,mode,key_scheme,key,declaration_id,scan_id,violation,hidden,place,hidden_kg,"
             "left_px,top_px,right_px,bottom_px,misdeclared,oddity,oddity_left_px,oddity_top_px,"
             "oddity_right_px,oddity_bottom_px,true_hs6,true_net_kg,declared_net_kg\n");
}

void sim_truth_csv_row(const struct sim_item *item, struct text_buffer *out)
{
    const struct sim_truth *truth = &item->truth;
    const int32_t *hidden = truth->hidden_px, *oddity = truth->oddity_px;
    text_buffer_add(out, "%llu,%s,%s,%s,%s,%s,%d,%s,%s,%.4f,%d,%d,%d,%d,",
                    (unsigned long long)item->index, mode_text(truth->mode),
                    key_scheme_text(item->key.scheme), item->key.value,
                    item->declaration.declaration_id, item->has_scan ? item->scan.scan_id : "",
                    truth->violation ? 1 : 0, or_none(truth->hidden.what), truth->hidden.place,
                    truth->hidden.mass_kg, hidden[0], hidden[1], hidden[2], hidden[3]);
    text_buffer_add(out, "%s,%s,%d,%d,%d,%d,%s,%.4f,%.4f\n", or_none(truth->misdeclared),
                    or_none(truth->oddity.what), oddity[0], oddity[1], oddity[2], oddity[3],
                    truth->true_hs6, truth->true_net_kg, truth->declared_net_kg);
}

void sim_truth_json_line(const struct sim_item *item, struct text_buffer *out)
{
    const struct sim_truth *truth = &item->truth;
    const int32_t *hidden = truth->hidden_px, *oddity = truth->oddity_px;
    text_buffer_add(out,
                    "{\"index\":%llu,\"mode\":\"%s\",\"key_scheme\":\"%s\",\"key\":\"%s\","
                    "\"declaration_id\":\"%s\","
                    "\"scan_id\":\"%s\",\"violation\":%s,\"true_hs6\":\"%s\",\"true_net_kg\":%.4f,"
                    "\"declared_net_kg\":%.4f",
                    (unsigned long long)item->index, mode_text(truth->mode),
                    key_scheme_text(item->key.scheme), item->key.value,
                    item->declaration.declaration_id, item->has_scan ? item->scan.scan_id : "",
                    truth->violation ? "true" : "false", truth->true_hs6, truth->true_net_kg,
                    truth->declared_net_kg);
    if (truth->hidden.what != NULL) {
        text_buffer_add(out,
                        ",\"hidden\":{\"what\":\"%s\",\"place\":\"%s\",\"mass_kg\":%.4f,\"box_px\":"
                        "[%d,%d,%d,%d]}",
                        truth->hidden.what, truth->hidden.place, truth->hidden.mass_kg, hidden[0],
                        hidden[1], hidden[2], hidden[3]);
    }
    if (truth->misdeclared != NULL) {
        text_buffer_add(out, ",\"misdeclared\":\"%s\"", truth->misdeclared);
    }
    if (truth->oddity.what != NULL) {
        text_buffer_add(out, ",\"oddity\":{\"what\":\"%s\",\"box_px\":[%d,%d,%d,%d]}",
                        truth->oddity.what, oddity[0], oddity[1], oddity[2], oddity[3]);
    }
    if (truth->cargo_density > 0) {
        text_buffer_add(out, ",\"mixed_cargo_density\":%.3f", truth->cargo_density);
    }
    text_buffer_add(out, "}\n");
}

void sim_truth_declared_header(struct text_buffer *out)
{
    text_buffer_add(out, "image,hs_code,net_mass_kg\n");
}

void sim_truth_declared_row(const struct sim_item *item, struct text_buffer *out)
{
    bool empty = item->declaration.declared_empty || item->declaration.lines_count == 0;
    text_buffer_add(out, "%s,%s,%.4f\n", item->scan.scan_id,
                    empty ? "" : item->declaration.lines[0].hs_code,
                    empty ? 0.0 : item->declaration.lines[0].net_mass_kg);
}

void sim_truth_past_header(struct text_buffer *out)
{
    text_buffer_add(
        out, "Declaration ID,Date,Office ID,Process Type,Import Type,Import Use,Payment Type,"
             "Mode of Transport,Declarant ID,Importer ID,Seller ID,Courier ID,HS6 Code,"
             "Country of Departure,Country of Origin,Tax Rate,Tax Type,Country of Origin Indicator,"
             "Net Mass,Item Price,Fraud,Critical Fraud\n");
}

void sim_truth_past_row(const struct sim_past *past, struct text_buffer *out)
{
    static const char *const codes[MODE_COUNT] = {
        [MODE_TRUCK] = "30", [MODE_PASSENGER] = "90", [MODE_RAIL] = "20",
        [MODE_SEA] = "10",   [MODE_AIR] = "40",       [MODE_MAIL] = "50"};
    const struct declaration *declaration = &past->declaration;
    char day[CLOCK_DAY_BYTES];
    clock_day_text(declaration->declared_ns, day);
    text_buffer_add(out, "%s,%s,10,B,11,21,11,%s,%s,%s,%s,%s,%s,%s,%s,%.1f,A,G,%.2f,%.1f,%d,%d\n",
                    declaration->declaration_id, day, codes[declaration->mode],
                    declaration->declarant, declaration->importer, declaration->seller,
                    declaration->courier, past->line.hs_code, declaration->departure_country,
                    past->line.origin_country, past->line.tax_rate_percent, past->line.net_mass_kg,
                    past->line.value, past->found ? 1 : 0,
                    past->critical ? 2
                    : past->found  ? 1
                                   : 0);
}
