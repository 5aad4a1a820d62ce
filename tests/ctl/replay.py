#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Replays a thousand sealed items with triagectl: as they are, changed, without a model, and on other kernels.

usage: replay.py MAKE_REPLAY TRIAGECTL    exit 77: the processor has none of the kernels that are wanted
"""
import json
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import tempfile

ITEMS = int(os.environ.get("TRIAGED_REPLAY_ITEMS", "1050"))
DAYS = ("2026-09-21", "2026-09-22")
MAKER, CTL = sys.argv[1:3]
ENVIRONMENT = {name: value for name, value in os.environ.items()
               if name not in ("OPENBLAS_CORETYPE", "TRIAGED_BLAS_CORE_WAS")}


def replay(store, *arguments, core=None, descriptors=None, expect=0):
    environment = dict(ENVIRONMENT, **({"OPENBLAS_CORETYPE": core} if core else {}))
    limit = None if descriptors is None else lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors,) * 2)
    done = subprocess.run([CTL, "--dir", str(store), "--json", "replay", *map(str, arguments)], env=environment,
                          capture_output=True, text=True, timeout=300, preexec_fn=limit)
    assert done.returncode == expect, (arguments, done.returncode, done.stdout[-2000:], done.stderr)
    return (json.loads(done.stdout) if done.stdout else None), done.stderr


def words(store, *arguments, expect=0):
    done = subprocess.run([CTL, "--dir", str(store), "replay", *map(str, arguments)], env=ENVIRONMENT,
                          capture_output=True, text=True, timeout=300)
    assert done.returncode == expect, (arguments, done.returncode, done.stdout[-2000:], done.stderr)
    return done.stdout + done.stderr


def make(store):
    made = subprocess.run([MAKER, str(store), str(ITEMS)], env=ENVIRONMENT, capture_output=True, text=True, timeout=300)
    assert made.returncode == 0, made.stderr
    told = {}
    for line in made.stdout.splitlines():
        word, value = line.split(" ", 1)
        told.setdefault(word, []).append(value)
    return told


def everything_is_identical(store, told):
    """Days, files, and items by label and by id."""
    scores = 0
    for day in DAYS:
        found, _ = replay(store, day)
        assert found["identical"] == found["scores"] and found["inputs_alone"] == 0, found
        assert found["differing"] == found["not_replayed"] == found["tables_differing"] == 0, found
        [machine] = found["scored_on"]
        assert {key: machine[key] for key in found["replayed_on"]} == found["replayed_on"], found
        scores += found["scores"]
    assert scores == ITEMS >= 1000 or "TRIAGED_REPLAY_ITEMS" in os.environ, scores
    in_files = 0
    for path in told["file"]:  # the first one has what the last one has, without models
        found, _ = replay(store, path, *(["--items", 40] if path == told["file"][0] else []))
        assert found["identical"] == found["scores"] > 0 and found["inputs_alone"] == 0, found
        in_files += found["scores"]
    assert in_files > scores // 2
    cut = ITEMS // 3 + 9  # its records end one file, its score begins the next
    for name in ("TRUCK-%d" % cut, cut.to_bytes(4, "little").hex() + "00"):
        found, _ = replay(store, name)
        assert (found["scores"], found["identical"], found["inputs_alone"]) == (1, 1, 0), found
    found, _ = replay(store, DAYS[0], "--items", 7)
    assert found["scores"] == found["identical"] == 7, found
    replay(store, "TRUCK-%d" % ITEMS, expect=1)
    print("%d scores of %d files and %d days: bit-identical" % (scores, len(told["file"]), len(DAYS)))


def a_copy_elsewhere_is_enough(store, told, folder):
    """No store, no log: one file and the models. One item began in the file before: its numbers are checked."""
    copy = folder / "copy"
    copy.mkdir()
    shutil.copy(told["file"][1], copy / "one.h5")
    alone = (folder / "nothing", copy / "one.h5", "--models", store / "models")
    found, _ = replay(*alone, expect=1)  # nobody compared what its images gave
    assert found["identical"] == found["scores"] - 1 and found["inputs_alone"] == 1, found
    found, _ = replay(*alone, "--inputs-suffice")
    assert found["identical"] == found["scores"] - 1 and found["differing"] == found["not_replayed"] == 0, found
    assert "1 from their inputs alone" in words(*alone, expect=1)
    behind = shutil.copy(told["file"][1], folder / "z.h5")  # sorts behind its original: the file before is found
    found, _ = replay(store, behind, "--items", 5)
    assert found["identical"] == found["scores"] == 5 and is_the_machine_here(found), found
    shutil.copy(told["file"][0], copy)  # its name tells where it belongs
    found, _ = replay(folder / "nothing", copy / "one.h5", "--models", store / "models", "--archive", copy, "--items", 20)
    assert found["identical"] == found["scores"] == 20 and is_the_machine_here(found), found


def is_the_machine_here(found):
    [machine] = found["scored_on"]
    return {key: machine[key] for key in found["replayed_on"]} == found["replayed_on"]


def what_computed_lies_far_back(store, told, folder):
    """The config.change is the first entry, dozens of files before the score: no file of them stays open."""
    chain = told["chain_file"]
    for path in reversed(chain):
        found, _ = replay(store, path, "--archive", store / "chain", descriptors=28)
        if found["scores"] > 0:
            break
    assert found["identical"] == 1 and chain.index(path) > 34 and is_the_machine_here(found), (path, found)
    gone = folder / "gone"  # an unreadable file far back: what computed is not told, and the scores are replayed
    shutil.copytree(store / "chain", gone)
    [first] = gone.glob("**/" + pathlib.Path(chain[0]).name)
    first.chmod(0o600)
    first.write_text("no archive file")
    [last] = gone.glob("**/" + pathlib.Path(path).name)
    found, _ = replay(store, last, "--archive", gone)
    assert found["identical"] == 1 and found["scored_on"][0]["build"] == "", found


def an_unreadable_file_takes_nothing_from_the_others(store, told, folder):
    """A day of many files, one of them cut short; and a label whose decision lies in the file after the score's."""
    chain = folder / "chain"
    shutil.copytree(store / "chain", chain)
    whole, _ = replay(store, DAYS[0], "--archive", chain)
    assert whole["identical"] == whole["scores"] > 10 and whole["files_unread"] == [], whole
    for name in ("TRUCK-1", "000000000000"):
        found, _ = replay(store, name, "--archive", chain)
        assert found["identical"] == found["scores"] == 1, found
    [cut] = chain.glob("**/" + pathlib.Path(told["chain_file"][20]).name)
    cut.chmod(0o600)
    os.truncate(cut, 3000)
    found, why = replay(store, DAYS[0], "--archive", chain, expect=1)
    assert [unread["file"] for unread in found["files_unread"]] == [str(cut)] and str(cut) in why, (found, why)
    assert whole["scores"] - 1 <= found["scores"] == found["identical"] + found["inputs_alone"], found
    text = words(store, DAYS[0], "--archive", chain, "--items", 30, expect=1)
    assert "1 files could not be read" in text and "Stopped" not in text, text
    assert "Stopped after 3 scores" in words(store, DAYS[0], "--archive", chain, "--items", 3)


def a_changed_score_is_found(store, told):
    """Three scores in files that are whole in themselves."""
    found, _ = replay(store, told["tampered_file"][1], "--archive", store / "tampered", expect=1)
    assert found["differing"] == 3 and found["tables_differing"] == 0, found
    by_entry = {finding["entry"]: finding for finding in found["findings"]}
    assert sorted(by_entry) == sorted(map(int, told["tampered_entry"])), by_entry
    first, second, third = (by_entry[int(entry)]["differences"] for entry in told["tampered_entry"])
    assert [row["what"] for row in first] == ["probability"] and first[0]["steps"] == 1, first
    assert {"probability", "logit"} < {row["what"] for row in second}, second
    [part] = [row for row in second if row["what"].startswith("contribution ")]
    assert abs(part["difference"] - 0.25) < 1e-12, second
    assert {row["what"] for row in third} == {"quality"}, third
    text = words(store, told["tampered_file"][1], "--archive", store / "tampered", "--items", 60, expect=1)
    assert "2 differ" in text and "this is no rounding" in text, text


def a_changed_table_is_found(told, store, folder):
    """Somebody edits the tables with a tool and leaves the entries as they were."""
    try:
        import h5py
    except ImportError:
        print("without h5py (python3-h5py) no table is changed here")
        return
    path = folder / "table.h5"
    for table, column in (("scores", "logit"), ("contributions", "logit"), ("score_inputs", "value")):
        shutil.copy(told["file"][2], path)
        path.chmod(0o600)
        with h5py.File(path, "r+") as file:
            file[table][column][5] = file[table][column][5] + 0.5
        found, told_why = replay(store, path, "--items", 5, expect=1)
        assert found["differing"] == 0 and found["tables_differing"] == 1, found
        assert "table /%s does not say" % table in told_why, told_why
        assert found["differing_tables"] == [{"file": str(path), "table": table}], found
    for column in ("grave", "quality"):  # a file of before a column has it nowhere, which is as if it were 0
        shutil.copy(told["file"][2], path)
        path.chmod(0o600)
        with h5py.File(path, "r+") as file:
            blank = not file["scores"][column][:].any()
            del file["scores"][column]
        found, _ = replay(store, path, "--items", 5, expect=0 if blank else 1)
        assert found["tables_differing"] == (not blank), (column, found)
        assert column == "grave" or not blank, "nothing that must be there was taken away"


def a_model_that_is_missing_or_another_is_named(store, folder):
    """First none is at hand, then one of them holds something else."""
    found, _ = replay(folder / "nothing", DAYS[1], "--archive", store / "archive", expect=1)
    names = {missing["name"] for missing in found["missing_models"]}
    assert names == {"fusion", "history", "appearance/single-portal", "appearance/dual-portal", "consistency/single-portal",
                     "consistency/dual-portal"}, names
    assert found["not_replayed"] == found["scores"], found
    text = words(folder / "nothing", DAYS[1], "--archive", store / "archive", expect=1)
    for missing in found["missing_models"]:
        assert missing["sha256"] in text, text
    others = folder / "others"
    shutil.copytree(store / "models", others)
    one, two = [others / ("%s.h5" % missing["sha256"]) for missing in found["missing_models"]
                if missing["name"].startswith("appearance/")]
    two.chmod(0o600)
    shutil.copyfile(one, two)
    found, _ = replay(folder / "nothing", DAYS[1], "--archive", store / "archive", "--models", others, expect=1)
    assert 0 < found["not_replayed"] < found["scores"] == found["not_replayed"] + found["identical"], found
    [missing] = found["missing_models"]
    assert missing["sha256"] == two.stem and str(two) in missing["why"], missing
    assert all(finding["why"] == missing["why"] for finding in found["findings"]), found["findings"]
    text = words(folder / "nothing", DAYS[1], "--archive", store / "archive", "--models", others, expect=1)
    assert two.stem in text and str(two) in text, text
    found, _ = replay(store, DAYS[1], "--models", others)  # the store's own, looked at next, is good
    assert found["identical"] == found["scores"] and found["missing_models"] == [], found


def other_kernels_give_the_same_bits(store):
    """kernels/KERNELS.md argues a bound of zero between BLAS cores; here it is looked at."""
    flags = pathlib.Path("/proc/cpuinfo").read_text() if os.path.exists("/proc/cpuinfo") else ""
    cores = [core for core, flag in (("Prescott", "pni"), ("Haswell", "avx2"), ("SkylakeX", "avx512vl"))
             if flag in flags]
    if not cores:
        return False
    seen = set()
    for core in cores:
        for day in DAYS:
            found, _ = replay(store, day, core=core)
            here = found["replayed_on"]["blas"]
            seen.add(here)
            [machine] = found["scored_on"]
            print("scored on %s, replayed on %s: %d of %d differ, largest difference of a probability %g, of a logit %g"
                  % (machine["blas"], here, found["differing"], found["scores"], machine["largest_probability"],
                     machine["largest_logit"]))
            assert found["identical"] == found["scores"], found
        text = subprocess.run([CTL, "--dir", str(store), "replay", "TRUCK-%d" % (ITEMS - 1)], capture_output=True,
                              text=True, env=dict(ENVIRONMENT, OPENBLAS_CORETYPE=core), timeout=300).stdout
        assert (here == machine["blas"]) == ("the same as here" in text), text
        assert here == machine["blas"] or "BLAS: %s when scored, %s now" % (machine["blas"], here) in text, text
    assert len(seen) > 1 or len(cores) == 1, "OPENBLAS_CORETYPE changes nothing here: %s" % seen
    return True


def without_fma_the_difference_is_bounded(store):
    """glibc picks exp and log by the processor; daemon/score/MODELS.md, section 7, has the bound."""
    if not hasattr(os, "confstr") or not str(os.confstr("CS_GNU_LIBC_VERSION")).startswith("glibc"):
        return
    for day in DAYS[1:]:
        ENVIRONMENT["GLIBC_TUNABLES"] = "glibc.cpu.hwcaps=-AVX2,-FMA"
        try:
            done = subprocess.run([CTL, "--dir", str(store), "--json", "replay", day], env=ENVIRONMENT,
                                  capture_output=True, text=True, timeout=300)
        finally:
            del ENVIRONMENT["GLIBC_TUNABLES"]
        found = json.loads(done.stdout)
        [machine] = found["scored_on"]
        print("libm without FMA: %d of %d differ, largest difference of a probability %g, of a logit %g"
              % (found["differing"], found["scores"], machine["largest_probability"], machine["largest_logit"]))
        assert found["not_replayed"] == 0 and found["identical"] + found["differing"] == found["scores"], found
        assert machine["largest_probability"] <= 2.3e-16 and machine["largest_logit"] <= 4e-14, found
        for finding in found["findings"]:
            for row in finding["differences"]:
                assert row["what"] in ("probability", "logit", "contribution consistency.mass",
                                       "contribution consistency.chapter"), finding


def main():
    for wrong in ([], ["a", "b"], ["--items", "x", "a"]):
        done = subprocess.run([CTL, "replay", *wrong], capture_output=True, text=True, timeout=60)
        assert done.returncode == 2, (wrong, done)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        store = folder / "store"
        store.mkdir()
        told = make(store)
        everything_is_identical(store, told)
        a_copy_elsewhere_is_enough(store, told, folder)
        what_computed_lies_far_back(store, told, folder)
        an_unreadable_file_takes_nothing_from_the_others(store, told, folder)
        a_changed_score_is_found(store, told)
        a_changed_table_is_found(told, store, folder)
        a_model_that_is_missing_or_another_is_named(store, folder)
        without_fma_the_difference_is_bounded(store)
        if not other_kernels_give_the_same_bits(store):
            print("SKIP: no processor whose other kernels could be forced")
            sys.exit(77)


if __name__ == "__main__":
    main()
