/* SPDX-License-Identifier: Apache-2.0 */
#include "feeds/marks.h"

#include <expat.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "feeds/marks_check.h"

/* Pascal-VOC: annotation / size / width, height and annotation / object / bndbox / xmin, ymin,
 * xmax, ymax. Everything else is passed over. A document type is where entities would come from:
 * there is none in any such file, so it ends the reading, and expat expands nothing and opens
 * nothing. */

enum { DEPTH_MAX = 16, NUMBER_BYTES = 32 };

enum field { XMIN, YMIN, XMAX, YMAX, WIDTH, HEIGHT, FIELDS, NO_FIELD = FIELDS };
static const char *const field_names[FIELDS] = {"xmin", "ymin", "xmax", "ymax", "width", "height"};

struct reading {
    XML_Parser parser;
    struct marks_box *boxes;
    uint32_t count;
    uint32_t depth;
    uint32_t box_depth;  /* of the open bndbox; 0: none */
    uint32_t size_depth; /* of the open size */
    enum field field;    /* whose text is coming */
    char text[NUMBER_BYTES];
    size_t text_bytes;
    double values[FIELDS];
    bool is_voc;
    const char *wrong; /* first thing wrong */
};

static void stop(struct reading *self, const char *wrong)
{
    if (self->wrong == NULL) {
        self->wrong = wrong;
        (void)XML_StopParser(self->parser, XML_FALSE);
    }
}

static void clear_box(struct reading *self)
{
    for (int i = XMIN; i <= YMAX; i++) {
        self->values[i] = NAN;
    }
}

static void XMLCALL on_start(void *user, const XML_Char *name, const XML_Char **attributes)
{
    struct reading *self = user;
    (void)attributes;
    self->field = NO_FIELD;
    if (++self->depth > DEPTH_MAX) {
        stop(self, "nested deeper than marks are");
        return;
    }
    if (self->depth == 1) {
        self->is_voc = strcmp(name, "annotation") == 0;
        if (!self->is_voc) {
            stop(self, "not a Pascal-VOC annotation");
        }
    } else if (self->depth == 3 && strcmp(name, "bndbox") == 0 && self->box_depth == 0) {
        self->box_depth = self->depth;
        clear_box(self);
    } else if (self->depth == 2 && strcmp(name, "size") == 0 && self->size_depth == 0) {
        self->size_depth = self->depth;
    }
    uint32_t around = self->box_depth > 0 ? self->box_depth : self->size_depth;
    enum field first = self->box_depth > 0 ? XMIN : WIDTH;
    enum field end = self->box_depth > 0 ? WIDTH : FIELDS;
    for (enum field i = first; around > 0 && self->depth == around + 1 && i < end; i++) {
        if (strcmp(name, field_names[i]) == 0) {
            self->field = i;
            self->text_bytes = 0;
        }
    }
}

static void XMLCALL on_text(void *user, const XML_Char *text, int bytes)
{
    struct reading *self = user;
    if (self->field == NO_FIELD) {
        return;
    }
    if ((size_t)bytes >= sizeof self->text - self->text_bytes) {
        stop(self, "a number that is none");
        return;
    }
    memcpy(self->text + self->text_bytes, text, (size_t)bytes);
    self->text_bytes += (size_t)bytes;
}

static void finish_box(struct reading *self)
{
    if (self->count == MARKS_BOXES_MAX) {
        stop(self, "more boxes than an image may have");
        return;
    }
    self->boxes[self->count++] = (struct marks_box){self->values[XMIN], self->values[YMIN],
                                                    self->values[XMAX], self->values[YMAX]};
    self->box_depth = 0;
}

static void XMLCALL on_end(void *user, const XML_Char *name)
{
    struct reading *self = user;
    (void)name;
    if (self->field != NO_FIELD) {
        self->text[self->text_bytes] = '\0';
        if (!marks_number(self->text, &self->values[self->field])) {
            stop(self, "a number that is none");
        }
        self->field = NO_FIELD;
    } else if (self->depth == self->box_depth) {
        finish_box(self);
    } else if (self->depth == self->size_depth) {
        self->size_depth = 0;
    }
    self->depth--;
}

static void XMLCALL on_doctype(void *user, const XML_Char *name, const XML_Char *system,
                               const XML_Char *public, int has_internal)
{
    struct reading *self = user;
    (void)name;
    (void)system;
    (void)public;
    (void)has_internal;
    stop(self, "a document type, which marks have no use for");
}

/* A size of 0 is what some tools write when they do not know it. */
static bool is_other_size(double told, uint32_t real)
{
    return real > 0 && isfinite(told) && told > 0 && told != (double)real;
}

static struct err refuse(char *why, const char *wrong)
{
    (void)snprintf(why, MARKS_WHY_BYTES, "%s", wrong);
    return err_make(ERR_TABLE_UNREADABLE, "marks of an image");
}

MUST_USE struct err marks_decode(const uint8_t *bytes, size_t bytes_count, uint32_t width,
                                 uint32_t height, struct marks_box *boxes, uint32_t *count,
                                 char *why)
{
    struct reading self = {.boxes = boxes, .field = NO_FIELD};
    self.values[WIDTH] = NAN;
    self.values[HEIGHT] = NAN;
    if (bytes_count > MARKS_FILE_BYTES_MAX) {
        return refuse(why, "longer than marks are");
    }
    self.parser = XML_ParserCreate(NULL);
    if (self.parser == NULL) {
        return err_make(ERR_MEMORY, "marks of an image");
    }
    XML_SetUserData(self.parser, &self);
    XML_SetElementHandler(self.parser, on_start, on_end);
    XML_SetCharacterDataHandler(self.parser, on_text);
    XML_SetStartDoctypeDeclHandler(self.parser, on_doctype);
    enum XML_Status status =
        XML_Parse(self.parser, (const char *)bytes, (int)bytes_count, XML_TRUE);
    const char *wrong = self.wrong;
    if (wrong == NULL && status != XML_STATUS_OK) {
        wrong = XML_ErrorString(XML_GetErrorCode(self.parser));
    }
    XML_ParserFree(self.parser);
    if (wrong == NULL &&
        (is_other_size(self.values[WIDTH], width) || is_other_size(self.values[HEIGHT], height))) {
        wrong = "drawn on a picture of another size";
    }
    for (uint32_t i = 0; i < self.count && wrong == NULL; i++) {
        wrong = marks_check(&boxes[i], width, height);
    }
    if (wrong != NULL) {
        return refuse(why, wrong);
    }
    *count = self.count;
    return err_none;
}
