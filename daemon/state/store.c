/* SPDX-License-Identifier: Apache-2.0 */
#include "state/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <sqlite3.h>

#include "base/durable.h"
#include "proto/entry.h"
#include "proto/hash.h"

/* Statements are prepared once and kept: preparing costs more than running most of them. Damage is
 * remembered rather than repaired: the log is the truth, so a read model that SQLite calls corrupt
 * is worth less than an empty one. */

/* A reader may meet the short lock of a checkpoint; longer than this means that somebody else
 * writes our file. */
#define BUSY_TIMEOUT_MS 5000

struct statement {
    sqlite3_stmt *prepared;
    struct store *store;
    int bind_result; /* first failure since the last reset */
};

struct store {
    sqlite3 *connection;
    struct statement statements[STATEMENT_COUNT];
    char path[DURABLE_PATH_BYTES];
    bool write;
    bool damaged;
};

static const char *const statement_sql[STATEMENT_COUNT] = {
#define STATEMENT(name, sql) [STATEMENT_##name] = sql,
#include "state/statement_table.h"
#undef STATEMENT
};

static struct err store_err(struct store *self, int result, const char *where)
{
    int primary = result & 0xff;
    if (primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB) {
        self->damaged = true;
    }
    switch (primary) {
    case SQLITE_FULL:
        return err_make(ERR_DISK_FULL, where);
    case SQLITE_NOMEM:
        return err_make(ERR_MEMORY, where);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return err_make(ERR_LOCKED, where);
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return err_make(ERR_IO, where);
    default: /* damaged, not a database, or without the tables that it should have */
        return err_make(ERR_STATE_STORE, where);
    }
}

/* In WAL mode even a reader needs the shared-memory file beside the database. When nobody has the
 * store open and we may not create that file (another user's directory), a database without pending
 * WAL can be read as a file that nobody changes. */
static int open_reader(const char *path, sqlite3 **connection)
{
    int result =
        sqlite3_open_v2(path, connection, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);
    if (result == SQLITE_OK) {
        result = sqlite3_exec(*connection, "SELECT count(*) FROM sqlite_schema", NULL, NULL, NULL);
    }
    char wal[DURABLE_PATH_BYTES + 8];
    struct stat found;
    (void)snprintf(wal, sizeof wal, "%s-wal", path);
    bool has_pending = stat(wal, &found) == 0 && found.st_size > 0;
    if (result != SQLITE_CANTOPEN || has_pending || strpbrk(path, "?#%") != NULL ||
        stat(path, &found) != 0) {
        return result;
    }
    sqlite3_close(*connection);
    *connection = NULL;
    char uri[DURABLE_PATH_BYTES + 32];
    (void)snprintf(uri, sizeof uri, "file:%s?immutable=1", path);
    return sqlite3_open_v2(uri, connection,
                           SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI, NULL);
}

struct err store_open(const char *path, bool write, struct store **out)
{
    must(path != NULL && out != NULL);
    if (strlen(path) >= DURABLE_PATH_BYTES) {
        return err_make(ERR_ARGUMENT, "path of the read model is too long");
    }
    struct store *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "open read model");
    }
    memcpy(self->path, path, strlen(path) + 1);
    self->write = write;
    int result;
    if (write) {
        result =
            sqlite3_open_v2(path, &self->connection,
                            SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    } else {
        result = open_reader(path, &self->connection);
    }
    if (result != SQLITE_OK) {
        struct err err = store_err(self, result, "open read model");
        self->damaged = false; /* opening alone never removes */
        store_close(&self);
        return err;
    }
    sqlite3_busy_timeout(self->connection, BUSY_TIMEOUT_MS);
    *out = self;
    return err_none;
}

void store_close(struct store **self)
{
    if (self == NULL || *self == NULL) {
        return;
    }
    struct store *store = *self;
    for (int i = 0; i < STATEMENT_COUNT; i++) {
        sqlite3_finalize(store->statements[i].prepared);
    }
    /* Everything of ours is finalised: close cannot be refused. */
    must(sqlite3_close(store->connection) == SQLITE_OK);
    if (store->damaged && store->write) {
        struct err err = store_remove(store->path);
        (void)err; /* the next open meets the damage again and tries again */
    }
    free(store);
    *self = NULL;
}

struct err store_remove(const char *path)
{
    static const char *const tails[] = {"-wal", "-shm", ""};
    char file[DURABLE_PATH_BYTES + 8];
    for (size_t i = 0; i < sizeof tails / sizeof tails[0]; i++) {
        int bytes = snprintf(file, sizeof file, "%s%s", path, tails[i]);
        if (bytes < 0 || (size_t)bytes >= DURABLE_PATH_BYTES) {
            return err_make(ERR_ARGUMENT, "path of the read model is too long");
        }
        struct err err = durable_remove(file);
        if (err_is(err)) {
            return err;
        }
    }
    return err_none;
}

struct err store_execute(struct store *self, const char *sql)
{
    int result = sqlite3_exec(self->connection, sql, NULL, NULL, NULL);
    return result == SQLITE_OK ? err_none : store_err(self, result, "execute on read model");
}

const char *store_message(const struct store *self)
{
    return sqlite3_errmsg(self->connection);
}

struct err store_statement(struct store *self, enum statement_name name, struct statement **out)
{
    must(name < STATEMENT_COUNT);
    struct statement *statement = &self->statements[name];
    if (statement->prepared == NULL) {
        int result = sqlite3_prepare_v3(self->connection, statement_sql[name], -1,
                                        SQLITE_PREPARE_PERSISTENT, &statement->prepared, NULL);
        if (result != SQLITE_OK) {
            return store_err(self, result, "prepare statement of read model");
        }
        statement->store = self;
    } else {
        statement_reset(statement);
    }
    *out = statement;
    return err_none;
}

/* What a metric may do: read tables and call functions. ATTACH, PRAGMA and transactions count as
 * "read-only" for SQLite, so the statement's own flag is not enough. */
static int allow_select(void *unused, int action, const char *first, const char *second,
                        const char *database, const char *trigger)
{
    (void)unused, (void)first, (void)second, (void)database, (void)trigger;
    switch (action) {
    case SQLITE_SELECT:
    case SQLITE_READ:
    case SQLITE_FUNCTION:
    case SQLITE_RECURSIVE:
        return SQLITE_OK;
    default:
        return SQLITE_DENY;
    }
}

static bool is_blank(const char *text)
{
    while (*text != '\0') {
        if (strncmp(text, "--", 2) == 0) {
            text += strcspn(text, "\n");
        } else if (strchr(" \t\r\n;", *text) != NULL) {
            text++;
        } else {
            return false;
        }
    }
    return true;
}

struct err store_prepare_select(struct store *self, const char *sql, struct statement **out)
{
    struct statement *statement = calloc(1, sizeof *statement);
    if (statement == NULL) {
        return err_make(ERR_MEMORY, "prepare query");
    }
    statement->store = self;
    const char *rest = "";
    sqlite3_set_authorizer(self->connection, allow_select, NULL);
    int result = sqlite3_prepare_v2(self->connection, sql, -1, &statement->prepared, &rest);
    sqlite3_set_authorizer(self->connection, NULL, NULL);
    const char *fault = NULL;
    if (result != SQLITE_OK) {
        fault = "query does not compile, or is more than a SELECT";
    } else if (statement->prepared == NULL || !is_blank(rest)) {
        fault = "query is not exactly one SELECT";
    } else if (!sqlite3_stmt_readonly(statement->prepared)) {
        fault = "query would write";
    }
    if (fault != NULL) {
        statement_drop(&statement);
        return err_make(ERR_ARGUMENT, fault);
    }
    *out = statement;
    return err_none;
}

void statement_drop(struct statement **self)
{
    if (self == NULL || *self == NULL) {
        return;
    }
    sqlite3_finalize((*self)->prepared);
    free(*self);
    *self = NULL;
}

static void note_bind(struct statement *self, int result)
{
    if (result != SQLITE_OK && self->bind_result == SQLITE_OK) {
        self->bind_result = result;
    }
}

void bind_integer(struct statement *self, int position, int64_t value)
{
    note_bind(self, sqlite3_bind_int64(self->prepared, position, value));
}

void bind_index(struct statement *self, int position, uint64_t value)
{
    note_bind(self, sqlite3_bind_int64(self->prepared, position, (int64_t)value));
}

void bind_real(struct statement *self, int position, double value)
{
    note_bind(self, sqlite3_bind_double(self->prepared, position, value));
}

void bind_text(struct statement *self, int position, const char *text)
{
    note_bind(self, sqlite3_bind_text(self->prepared, position, text == NULL ? "" : text, -1,
                                      SQLITE_STATIC));
}

void bind_text_bytes(struct statement *self, int position, const char *text, uint32_t text_bytes)
{
    note_bind(self, sqlite3_bind_text64(self->prepared, position, text, text_bytes, SQLITE_STATIC,
                                        SQLITE_UTF8));
}

void bind_blob(struct statement *self, int position, const void *bytes, uint32_t bytes_count)
{
    note_bind(self,
              sqlite3_bind_blob64(self->prepared, position, bytes, bytes_count, SQLITE_STATIC));
}

void bind_null(struct statement *self, int position)
{
    note_bind(self, sqlite3_bind_null(self->prepared, position));
}

int statement_parameters(const struct statement *self)
{
    return sqlite3_bind_parameter_count(self->prepared);
}

struct err statement_step(struct statement *self, bool *row)
{
    int result = self->bind_result;
    if (result == SQLITE_OK) {
        result = sqlite3_step(self->prepared);
    }
    if (result == SQLITE_ROW) {
        *row = true;
        return err_none;
    }
    struct store *store = self->store;
    statement_reset(self);
    if (result != SQLITE_DONE) {
        return store_err(store, result, "run statement on read model");
    }
    *row = false;
    return err_none;
}

bool statement_next(struct statement *self, struct err *err)
{
    bool row = false;
    *err = statement_step(self, &row);
    return !err_is(*err) && row;
}

struct err statement_first(struct statement *self, const char *missing)
{
    bool row = false;
    struct err err = statement_step(self, &row);
    return err_is(err) || row ? err : err_make(ERR_NOT_FOUND, missing);
}

struct err statement_any(struct statement *self, bool *any)
{
    struct err err = statement_step(self, any);
    if (!err_is(err) && *any) {
        statement_reset(self);
    }
    return err;
}

struct err statement_run(struct statement *self)
{
    bool row = true;
    struct err err = err_none;
    while (row && !err_is(err)) {
        err = statement_step(self, &row);
    }
    return err;
}

/* Bindings are cleared too: a borrowed pointer must not outlive its call. */
void statement_reset(struct statement *self)
{
    sqlite3_reset(self->prepared);
    sqlite3_clear_bindings(self->prepared);
    self->bind_result = SQLITE_OK;
}

int64_t column_integer(struct statement *self, int position)
{
    return sqlite3_column_int64(self->prepared, position);
}

uint64_t column_index(struct statement *self, int position)
{
    return (uint64_t)sqlite3_column_int64(self->prepared, position);
}

double column_real(struct statement *self, int position)
{
    return sqlite3_column_double(self->prepared, position);
}

bool column_is_null(struct statement *self, int position)
{
    return sqlite3_column_type(self->prepared, position) == SQLITE_NULL;
}

const char *column_text(struct statement *self, int position)
{
    const unsigned char *text = sqlite3_column_text(self->prepared, position);
    return text == NULL ? "" : (const char *)text;
}

size_t utf8_cut(const char *text, size_t text_bytes, size_t bytes_max)
{
    size_t kept = text_bytes < bytes_max ? text_bytes : bytes_max;
    while (kept > 0 && kept < text_bytes && ((unsigned char)text[kept] & 0xc0u) == 0x80u) {
        kept--;
    }
    return kept;
}

void column_copy_text(struct statement *self, int position, char *out, uint32_t out_bytes)
{
    must(out_bytes > 0);
    const char *text = column_text(self, position);
    size_t bytes = utf8_cut(text, strlen(text), out_bytes - 1);
    memcpy(out, text, bytes);
    out[bytes] = '\0';
}

void column_copy_blob(struct statement *self, int position, uint8_t *out, uint32_t bytes_count)
{
    const void *blob = sqlite3_column_blob(self->prepared, position);
    if (blob != NULL && (uint32_t)sqlite3_column_bytes(self->prepared, position) == bytes_count) {
        memcpy(out, blob, bytes_count);
    } else {
        memset(out, 0, bytes_count);
    }
}

uint32_t statement_columns(const struct statement *self)
{
    return (uint32_t)sqlite3_column_count(self->prepared);
}

const char *statement_column_name(const struct statement *self, uint32_t position)
{
    const char *name = sqlite3_column_name(self->prepared, (int)position);
    return name == NULL ? "" : name;
}

const char *column_readable(struct statement *self, uint32_t position, char *hex,
                            uint32_t hex_bytes)
{
    int type = sqlite3_column_type(self->prepared, (int)position);
    if (type == SQLITE_NULL) {
        return NULL;
    }
    must(hex_bytes >= 32);
    if (type == SQLITE_FLOAT) { /* SQLite's own text has 15 digits: not enough to read the same
                                   double back */
        number_format(sqlite3_column_double(self->prepared, (int)position), hex);
        return hex;
    }
    if (type != SQLITE_BLOB) {
        return column_text(self, (int)position);
    }
    const uint8_t *blob = sqlite3_column_blob(self->prepared, (int)position);
    size_t blob_bytes = (size_t)sqlite3_column_bytes(self->prepared, (int)position);
    if (blob_bytes > (hex_bytes - 1) / 2) {
        blob_bytes = (hex_bytes - 1) / 2;
    }
    hex[0] = '\0';
    if (blob_bytes > 0) {
        hex_encode(blob, blob_bytes, hex);
    }
    return hex;
}
