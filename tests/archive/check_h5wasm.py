# SPDX-License-Identifier: Apache-2.0
"""A sealed archive file opened in JavaScript: h5wasm reads the images and node hashes them. The arguments: the make_archive
program. Exit 77: no node, or h5wasm cannot be installed (TRIAGED_H5WASM may name a folder with node_modules/h5wasm)."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

VERSION = "0.10.3"
SCRIPT = """
import h5wasm from "h5wasm/node";
import { createHash } from "node:crypto";
await h5wasm.ready;
const file = new h5wasm.File(process.argv[2], "r");
let images = 0;
for (const digest of file.get("images").keys()) {
  const pixels = file.get(`images/${digest}/pixels`);
  const value = pixels.value;
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  if (createHash("sha256").update(bytes).digest("hex") !== digest) throw new Error(`image ${digest}`);
  if (pixels.shape[0] !== 200 || pixels.shape[1] !== 300) throw new Error(`shape ${pixels.shape}`);
  images += 1;
}
const scans = file.get("scans/scan_id").value;
if (images !== 4 || scans.length !== 3 || scans[0] !== "S-0") throw new Error(`${images} images, scans ${scans}`);
const metrics = file.get("metrics/text").value;
const sums = file.get("metrics/sha256").value;
if (metrics.length < 8) throw new Error(`${metrics.length} metrics`);
metrics.forEach((text, i) => {
  if (createHash("sha256").update(text).digest("hex") !== sums[i]) throw new Error(`metric ${i}`);
});
const states = file.get("items/state").value;
if (states.join() !== "outcome,not_referred,queued") throw new Error(`states ${states}`);
if (file.get("calibration/air_level").value[0] !== 250n || file.get("models/name").value.length !== 1) throw new Error("scale");
if (file.get("tree/before").shape[1] !== 32 || file.attrs["tree_size"].value !== 316n) throw new Error("tree");
if (file.attrs["format"].value !== "triaged-archive") throw new Error("format");
console.log(`h5wasm: ${images} images have their digests`);
"""


def skip(reason):
    print(f"SKIP: {reason}")
    sys.exit(77)


node = shutil.which("node") or skip("node is not installed")
with tempfile.TemporaryDirectory(prefix="triage-h5wasm-") as directory:
    given = os.environ.get("TRIAGED_H5WASM")
    if given:
        (pathlib.Path(directory) / "node_modules").symlink_to(pathlib.Path(given).resolve() / "node_modules")
    else:
        npm = shutil.which("npm") or skip("npm is not installed")
        try:
            done = subprocess.run([npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", f"h5wasm@{VERSION}"],
                                  cwd=directory, capture_output=True, text=True, timeout=90)
        except subprocess.TimeoutExpired:
            skip("h5wasm could not be installed in time")
        if done.returncode != 0:
            skip(f"h5wasm cannot be installed: {done.stderr.strip().splitlines()[-1:]}")
    script = pathlib.Path(directory) / "read.mjs"
    script.write_text(SCRIPT, encoding="utf-8")
    made = subprocess.run([sys.argv[1], directory], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    sys.exit(subprocess.run([node, str(script), made], timeout=60).returncode)
