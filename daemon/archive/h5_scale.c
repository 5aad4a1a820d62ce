/* SPDX-License-Identifier: Apache-2.0 */
#include <hdf5.h>
#include <hdf5_hl.h>

#include "archive/h5.h"
#include "archive/h5_lock.h"

/* Dimension scales as HDF5's own high-level library makes them, because readers (h5py, netCDF,
 * MATLAB, xarray) follow the attributes that it writes to the letter. Their lists of references are
 * addresses inside the file; they follow from the order of calls alone. */

struct err h5_scale_make(int64_t dataset, const char *name)
{
    h5_lock();
    struct err err =
        H5DSset_scale(dataset, name) < 0 ? h5_write_err("make dimension scale") : err_none;
    h5_unlock();
    return err;
}

struct err h5_scale_attach(int64_t dataset, int64_t scale)
{
    h5_lock();
    struct err err =
        H5DSattach_scale(dataset, scale, 0) < 0 ? h5_write_err("attach dimension scale") : err_none;
    h5_unlock();
    return err;
}
