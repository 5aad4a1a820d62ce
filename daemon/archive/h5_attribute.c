/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/h5.h"

#include <hdf5.h>
#include <string.h>

#include "archive/h5_lock.h"

/* Attributes are scalars: texts of fixed length in UTF-8, 64-bit numbers. Readers check class and
 * size before they read, so that a file of another making cannot make them write beyond their
 * buffer. */

static struct err h5_attribute_write(hid_t object, const char *name, hid_t file_type,
                                     hid_t memory_type, const void *value)
{
    hid_t space = H5Screate(H5S_SCALAR);
    hid_t attribute = -1;
    if (space >= 0 && file_type >= 0) {
        attribute = H5Acreate2(object, name, file_type, space, H5P_DEFAULT, H5P_DEFAULT);
    }
    struct err err = err_none;
    if (attribute < 0 || H5Awrite(attribute, memory_type, value) < 0) {
        err = h5_write_err("write attribute");
    }
    if (attribute >= 0 && H5Aclose(attribute) < 0 && !err_is(err)) {
        err = h5_write_err("close attribute");
    }
    if (space >= 0) {
        (void)H5Sclose(space);
    }
    return err;
}

struct err h5_attribute_text(int64_t object, const char *name, const char *text)
{
    size_t text_bytes = strlen(text);
    h5_lock();
    hid_t type = H5Tcopy(H5T_C_S1);
    struct err err = err_none;
    if (type < 0 || H5Tset_size(type, text_bytes == 0 ? 1 : text_bytes) < 0 ||
        H5Tset_cset(type, H5T_CSET_UTF8) < 0 || H5Tset_strpad(type, H5T_STR_NULLPAD) < 0) {
        err = h5_write_err("make text type");
    } else {
        err = h5_attribute_write(object, name, type, type, text);
    }
    if (type >= 0) {
        (void)H5Tclose(type);
    }
    h5_unlock();
    return err;
}

struct err h5_attribute_u64(int64_t object, const char *name, uint64_t value)
{
    h5_lock();
    struct err err = h5_attribute_write(object, name, H5T_STD_U64LE, H5T_NATIVE_UINT64, &value);
    h5_unlock();
    return err;
}

struct err h5_attribute_f64(int64_t object, const char *name, double value)
{
    h5_lock();
    struct err err = h5_attribute_write(object, name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, &value);
    h5_unlock();
    return err;
}

/* Open a scalar attribute of this class whose value has at most bytes_max bytes; *type is closed by
 * the caller. */
static bool h5_attribute_find(hid_t object, const char *name, H5T_class_t class, size_t bytes_max,
                              hid_t *attribute, hid_t *type)
{
    if (H5Aexists(object, name) <= 0 || (*attribute = H5Aopen(object, name, H5P_DEFAULT)) < 0) {
        return false;
    }
    *type = H5Aget_type(*attribute);
    hid_t space = H5Aget_space(*attribute);
    bool fits = *type >= 0 && space >= 0 && H5Sget_simple_extent_type(space) == H5S_SCALAR &&
                H5Tget_class(*type) == class && H5Tis_variable_str(*type) <= 0 &&
                H5Tget_size(*type) <= bytes_max;
    if (space >= 0) {
        (void)H5Sclose(space);
    }
    return fits;
}

static void h5_attribute_drop(hid_t attribute, hid_t type)
{
    if (type >= 0) {
        (void)H5Tclose(type);
    }
    if (attribute >= 0) {
        (void)H5Aclose(attribute);
    }
}

struct err h5_attribute_read_u64(int64_t object, const char *name, uint64_t *out)
{
    hid_t attribute = -1;
    hid_t type = -1;
    uint64_t value = 0;
    h5_lock();
    struct err err = err_none;
    if (!h5_attribute_find(object, name, H5T_INTEGER, sizeof value, &attribute, &type) ||
        H5Aread(attribute, H5T_NATIVE_UINT64, &value) < 0) {
        err = h5_read_err("read number attribute");
    }
    h5_attribute_drop(attribute, type);
    h5_unlock();
    if (!err_is(err)) {
        *out = value;
    }
    return err;
}

struct err h5_attribute_read_text(int64_t object, const char *name, char *out, size_t out_capacity)
{
    hid_t attribute = -1;
    hid_t type = -1;
    must(out_capacity > 0);
    h5_lock();
    struct err err = err_none;
    memset(out, 0, out_capacity);
    if (!h5_attribute_find(object, name, H5T_STRING, out_capacity - 1, &attribute, &type) ||
        H5Aread(attribute, type, out) < 0) {
        err = h5_read_err("read text attribute");
    }
    h5_attribute_drop(attribute, type);
    h5_unlock();
    return err;
}
