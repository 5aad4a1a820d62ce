/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STATE_SCHEMA_H
#define STATE_SCHEMA_H

/* Schema: the tables of the read model as SQL text; FORMAT.md explains each. Any change of a table,
 * an index, or of what state_apply() puts into them raises STATE_SCHEMA_VERSION: a file of another
 * version is rebuilt from the log. */

#define STATE_SCHEMA_VERSION 11

/* One statement each; NULL ends. */
extern const char *const state_schema_sql[];

#endif
