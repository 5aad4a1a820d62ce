# SPDX-License-Identifier: Apache-2.0
"""Builds an archive file with make_archive and opens it with other people's code: names, counts, digests, leaves.
The arguments: the make_archive program. Exit 77: h5py is not installed."""
import hashlib
import pathlib
import shutil
import subprocess
import sys
import tempfile
import zlib

try:
    import h5py
    import numpy
except ImportError:
    print("SKIP: python3-h5py is not installed")
    sys.exit(77)


def check_entries(file):
    entries = file["entries"]
    data, offset = entries["bytes"][...].tobytes(), entries["offset"][...]
    assert len(offset) == len(entries["n"]) + 1 == file.attrs["last_index"] - file.attrs["first_index"] + 2
    assert list(entries["n"][...]) == list(range(int(file.attrs["first_index"]), int(file.attrs["last_index"]) + 1))
    for i in range(len(offset) - 1):
        leaf = hashlib.sha256(b"\0" + data[offset[i]:offset[i + 1]]).digest()
        assert leaf == entries["leaf"][i].tobytes(), i
    assert entries["type"][0] == b"draw.commit" and entries["type"][1] == b"declaration.received"
    assert offset[-1] == len(data)


def check_images(file):
    assert len(file["images"]) == 4
    for digest, group in file["images"].items():
        pixels = group["pixels"]
        assert hashlib.sha256(pixels[...].tobytes()).hexdigest() == digest == pixels.attrs["sha256"].decode()
        assert pixels.shape == (200, 300) == (pixels.attrs["height"], pixels.attrs["width"])
        assert pixels.dtype == (numpy.dtype("<u2") if pixels.attrs["bits"] == 16 else numpy.dtype("u1"))
        assert pixels.attrs["pixel_pitch_mm"] == 1.5 and pixels.attrs["energy_kev"] == 6000
        assert pixels.compression == "gzip" and pixels.compression_opts == 1 and pixels.shuffle and pixels.fletcher32
        for i in range(pixels.id.get_num_chunks()):  # an ordinary zlib stream and HDF5's checksum behind it
            mask, stored = pixels.id.read_direct_chunk(pixels.id.get_chunk_info(i).chunk_offset)
            assert mask == 0 and len(zlib.decompress(stored[:-4])) == pixels.dtype.itemsize * pixels.chunks[0] * pixels.chunks[1]
        assert group.attrs["NX_class"] == b"NXdata" and group.attrs["signal"] == b"pixels"


def check_tables(file):
    scans, declarations, scores = file["scans"], file["declarations"], file["scores"]
    decisions, outcomes = file["decisions"], file["outcomes"]
    assert list(scans["scan_id"][...]) == [b"S-0", b"S-1", b"S-2"]
    assert list(scans["first_image"][...]) == [0, 2, 4] and list(scans["images_count"][...]) == [2, 2, 2]
    assert list(scans["item"][...]) == list(declarations["item"][...]) == list(scores["item"][...])
    assert scans["item"][0] == b"00" * 15 + b"77"
    assert list(declarations["net_mass_kg"][...]) == [1500.5] * 3 and declarations["net_mass_kg"].attrs["units"] == b"kg"
    assert declarations["hs_code"][0] == b"0803" and declarations["importer"][0][:1] == b"p"
    assert declarations["seller"][0] == b"" and declarations["body_present"][0] == 1
    assert len(set(declarations["declaration_id"][...])) == 3
    assert scores["models"][0] == b"appearance/container-portal=" + b"ab" * 32
    logit = {}
    for index, addend in zip(file["contributions/score_entry_index"][...], file["contributions/logit"][...]):
        logit[index] = logit.get(index, 0) + addend
    assert [logit[i] for i in scores["entry_index"][...]] == list(scores["logit"][...])
    assert list(file["regions/height"][...]) == [40] * 3
    assert decisions["decision"][0] == b"refer" and decisions["arm"][0] in (b"target", b"both")
    assert set(decisions["propensity"][...]) == {1.0, 0.25} and decisions["draw_day"][0] == b"2026-09-21"
    assert len(file["decision_reasons/words"]) == 6
    assert file["referral_events/to_state"][0] == b"in_exam"
    assert outcomes["quantity"][0] == 12.5 and outcomes["unit"][0] == b"kg" and outcomes["region_height"][0] == 4
    assert file["refusals/name"][0] == b"empty_image"
    for table in ("scans", "declarations", "scores", "decisions", "outcomes", "entries"):
        assert all("long_name" in column.attrs for column in file[table].values())


def root_of(hashes):
    """RFC 6962: the largest power of two below the number of hashes goes to the left."""
    if len(hashes) == 1:
        return hashes[0]
    left = 1 << (len(hashes) - 1).bit_length() - 1
    return hashlib.sha256(b"\1" + root_of(hashes[:left]) + root_of(hashes[left:])).digest()


def check_tree(file):
    """The root over all leaves, those before the file made up as range_tree_before does; and each subtree that it keeps."""
    first, size = int(file.attrs["tree_first_index"]), int(file.attrs["tree_size"])
    assert (first, size) == (200, int(file.attrs["last_index"]) + 1 - 200)
    before = [hashlib.sha256(b"\0leaf %d" % i).digest() for i in range(first, int(file.attrs["first_index"]))]
    leaves = before + [leaf.tobytes() for leaf in file["entries/leaf"][...]]
    assert root_of(leaves).hex() == file.attrs["tree_root"].decode()
    at, subtrees = 0, []
    for bit in range(len(before).bit_length() - 1, -1, -1):
        if len(before) >> bit & 1:
            subtrees.append(root_of(before[at:at + (1 << bit)]))
            at += 1 << bit
    assert [row.tobytes() for row in file["tree/before"][...]] == subtrees and len(subtrees) > 1


def check_gathered(file):
    """Tables that gather what others say: items, calibration, models, metrics."""
    items = file["items"]
    assert list(items["item"][...]) == list(file["scores/item"][...])
    assert list(items["state"][...]) == [b"outcome", b"not_referred", b"queued"] and list(items["open"][...]) == [0, 0, 1]
    assert all(list(items[name][...]) == [count] * 3 for name, count in
               (("scans_count", 1), ("images_count", 2), ("declarations_count", 1)))
    assert list(items["score_entry_index"][...]) == list(file["scores/entry_index"][...])
    assert list(items["decision_entry_index"][...]) == list(file["decisions/entry_index"][...])
    assert list(items["outcome_entry_index"][...]) == [file["outcomes/entry_index"][0], 0, 0]
    assert list(items["first_ns"][...]) == [file["entries/t_ns"][i] for i in (1, 5, 9)]
    assert items["closed_ns"][0] == file["outcomes/t_ns"][0] and items["claimed_ns"][0] == file["referral_events/t_ns"][0]
    waited = (file["outcomes/t_ns"][0] - file["decisions/t_ns"][0]) / 1e9
    assert items["age_s"][0] == file["outcomes/waited_s"][0] == waited > file["referral_events/waited_s"][0] > 0
    assert items["age_s"][1] == 0 and items["age_s"][2] == (file["entries/t_ns"][-1] - file["decisions/t_ns"][2]) / 1e9
    assert items["decided_utc"][0] == b"2026-09-21T09:20:00.000504000Z" == file["entries/t_utc"][4]
    scale = file["calibration"]
    assert list(scale["sha256"][...]) == list(file["scan_images/sha256"][...]) and set(scale["body_present"][...]) == {1}
    assert set(scale["air_level"][...]) == {250} and set(scale["dark_level"][...]) == {2}
    assert set(scale["pixel_pitch_mm"][...]) == {1.5} and scale["pixel_pitch_mm"].attrs["units"] == b"mm"
    assert set(scale["energy_kev"][...]) == {6000} and scale["acquired_utc"][0] == b"2026-09-21T09:20:00.000000005Z"
    models = file["models"]
    assert [(models["name"][0], models["sha256"][0], models["scores_count"][0])] == [
        (b"appearance/container-portal", b"ab" * 32, 3)] and len(models["name"]) == 1
    metrics = {name.decode(): text for name, text in zip(file["metrics/name"][...], file["metrics/text"][...])}
    shipped = {path.stem: path.read_bytes() for path in (pathlib.Path(__file__).parents[2] / "config/metrics").glob("*.sql")}
    assert metrics == shipped and len(shipped) >= 8
    assert [hashlib.sha256(metrics[name.decode()]).hexdigest().encode() for name in file["metrics/name"][...]] == list(
        file["metrics/sha256"][...])


def check_scales(file):
    """The first column is the scale of the rows, for every reader that knows dimension scales; times have an epoch."""
    for table, first in (("decisions", "entry_index"), ("items", "item"), ("contributions", "score_entry_index"),
                         ("entries", "n"), ("metrics", "name")):
        assert h5py.h5ds.is_scale(file[table][first].id)
        for name, column in file[table].items():
            if name not in (first, "bytes", "offset"):
                assert column.dims[0][0] == file[table][first], (table, name)
            if name.endswith("_ns"):
                assert column.attrs["units"] == b"ns" and column.attrs["start"] == b"1970-01-01T00:00:00Z"


def check_h5dump(made):
    """HDF5's own tool reads every value, and says what the file is."""
    if shutil.which("h5dump") is None:
        print("without h5dump: hdf5-tools is not installed")
        return
    head = subprocess.run(["h5dump", "-B", "-p", "-H", made], check=True, stdout=subprocess.PIPE, text=True).stdout
    assert "SUPERBLOCK_VERSION 2" in head and "CHECKSUM FLETCHER32" in head and "COMPRESSION DEFLATE { LEVEL 1 }" in head
    values = subprocess.run(["h5dump", made], check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert "draw.commit" in values.stdout and values.stderr == "", values.stderr


with tempfile.TemporaryDirectory(prefix="triage-h5py-") as directory:
    made = subprocess.run([sys.argv[1], directory], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    with h5py.File(made, "r") as opened:
        assert opened.attrs["format"] == b"triaged-archive" and opened.attrs["format_version"] == 1
        assert opened.attrs["items_count"] == 3
        check_entries(opened)
        check_images(opened)
        check_tables(opened)
        check_gathered(opened)
        check_tree(opened)
        check_scales(opened)
        assert opened.attrs["filters"].startswith(b"shuffle,deflate(1):isa-l/") and opened.attrs["hdf5_version"][:2] == b"1."
    check_h5dump(made)
    assert pathlib.Path(made).read_bytes()[8] == 2, "superblock version"
    example = pathlib.Path(__file__).with_name("read_archive.py")
    printed = subprocess.run([sys.executable, str(example), made], check=True, stdout=subprocess.PIPE, text=True).stdout
    assert "decisions: 3 rows" in printed and "random arm:" in printed and "found" in printed
    print(printed)
    text = example.read_text(encoding="utf-8").split("\n", 1)[1]  # without the licence line
    readme = pathlib.Path(__file__).parents[2] / "README.md"
    assert f"```python\n{text}```\n" in readme.read_text(encoding="utf-8"), "README's example is not read_archive.py"
