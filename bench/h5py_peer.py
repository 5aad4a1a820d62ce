# SPDX-License-Identifier: Apache-2.0
"""The same images written by h5py with gzip(1), shuffle and fletcher32 in the chunks of an archive file, and synced: MB/s
of pixels, the share of bytes left, processor seconds a gigabyte. usage: h5py_peer.py FOLDER OUT ROUNDS; exit 77 without h5py."""
import os
import pathlib
import sys
import time

try:
    import h5py
    import numpy
except ImportError:
    sys.exit(77)

images = []
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.raw")):
    _, width, height, bits = map(int, path.stem.split("-"))
    kind = "<u2" if bits == 16 else "u1"
    images.append(numpy.fromfile(path, dtype=kind).reshape(height, width))
for _ in range(int(sys.argv[3])):
    start, used = time.monotonic(), time.process_time()
    with h5py.File(sys.argv[2], "w", libver=("v108", "v110")) as file:
        for i, image in enumerate(images):
            most = max(1, (1 << 20) // (image.shape[1] * image.itemsize))
            chunks = -(-image.shape[0] // most)
            rows = -(-image.shape[0] // chunks)
            file.create_dataset(str(i), data=image, chunks=(rows, image.shape[1]), compression="gzip", compression_opts=1,
                                shuffle=True, fletcher32=True)
    with open(sys.argv[2], "rb") as file:
        os.fsync(file.fileno())
    seconds, used = time.monotonic() - start, time.process_time() - used
    raw = sum(image.nbytes for image in images)
    print(f"{raw / 1e6 / seconds:.2f} {os.path.getsize(sys.argv[2]) / raw:.5f} {used / raw * 1e9:.3f}")
    os.remove(sys.argv[2])
