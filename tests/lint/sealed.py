# SPDX-License-Identifier: Apache-2.0
"""What daemon/archive/FORMAT.md says is used nowhere, is used nowhere: repair of HDF5 files, opening them for writing a
second time, readers beside a writer. Words in comments may speak of it. usage: sealed.py ROOT; --self-test: sees what it should."""
import pathlib
import re
import sys

FORBIDDEN = {
    r"h5clear": "h5clear can cut a file to nothing",
    r"H5F_ACC_RDWR|H5F_ACC_SWMR_\w+|H5Fstart_swmr_write|H5Odisable_mdc_flushes": "no file is opened for writing twice, none read while written",
    r"H5Ldelete|H5Gunlink|H5Adelete|H5Dset_extent|H5Freopen|H5Fmount": "nothing in a file is changed or removed",
    r"H5F_ACC_TRUNC": "a file is made new, never over another",
    r"swmr\s*=\s*True|libver\s*=.*swmr|\bSWMR\b": "no readers beside a writer",
    r"h5py\.File\([^)\n]*[\"'](?:r\+|a)[\"']": "no script opens a file for writing twice",
}
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)
HASH_COMMENT = re.compile(r"(?m)#[^\n]*")


def faults_of(text, suffix):
    bare = COMMENT.sub("", text) if suffix in (".c", ".h") else HASH_COMMENT.sub("", text)
    return [f"{found.group(0)}: {why}" for pattern, why in FORBIDDEN.items() for found in re.finditer(pattern, bare)]


def self_test():
    bad = {"H5Fopen(path, H5F_ACC_RDWR, list);": ".c", 'run("h5clear", path)': ".py", "H5Fstart_swmr_write(f);": ".c",
           'h5py.File(path, "r+")': ".py", "h5py.File(path, 'a')": ".py", "H5Dset_extent(d, n);": ".c", "h5clear -s $file": ".sh"}
    good = {"/* never h5clear, no SWMR */ H5Fopen(path, H5F_ACC_RDONLY, list);": ".c", "# no h5clear": ".sh",
            'h5py.File(path, "r")': ".py"}
    assert all(faults_of(*item) for item in bad.items()), [item for item in bad.items() if not faults_of(*item)]
    assert not any(faults_of(*item) for item in good.items())


def main():
    self_test()
    if "--self-test" in sys.argv:
        return 0
    root = pathlib.Path(sys.argv[1])
    faults = files = 0
    for folder in ("proto", "kernels", "daemon", "config", "bench"):
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in (".c", ".h", ".py", ".sh", ".service", ".cmake") and path.is_file():
                files += 1
                for fault in faults_of(path.read_text(encoding="utf-8"), path.suffix):
                    print(f"{path.relative_to(root)}: {fault}")
                    faults += 1
    page = (root / "daemon/archive/FORMAT.md").read_text(encoding="utf-8")
    for words in ("**No `h5clear`.**", "**No change in place.**", "**No SWMR**"):
        if words not in page:
            print(f"daemon/archive/FORMAT.md: does not say {words}")
            faults += 1
    print(f"{files} files, {faults} faults")
    return 1 if faults or not files else 0


sys.exit(main())
