# SPDX-License-Identifier: Apache-2.0
"""Decodes a copy of log/<shard>/, computes its root again and compares it with the one in the checkpoint.
First: protoc --python_out=. proto/oversight.proto. Who signed the checkpoint is not looked at here."""
import base64, collections, hashlib, pathlib, sys
from proto.oversight_pb2 import Entry, EntryType

def number(n, x=""):  # 1234067 is x001/x234/067
    return (number(n // 1000, "x") + "/" if n > 999 else "") + f"{x}{n % 1000:03d}"

shard = pathlib.Path(sys.argv[1])
origin, size, root = (shard / "checkpoint").read_text().split("\n")[:3]
stack, types = [], collections.Counter()  # stack: roots of full subtrees, biggest first
for index in range(int(size)):
    if index % 256 == 0:
        full = shard / "tile/entries" / number(index // 256)
        part = full.with_name(f"{full.name}.p") / str(int(size) - index)
        bundle, at = (part if part.exists() else full).read_bytes(), 0
    length = int.from_bytes(bundle[at:at + 2], "big")
    raw, at = bundle[at + 2:at + 2 + length], at + 2 + length
    entry = Entry.FromString(raw)
    first = first if index else entry.n  # a later shard of the log goes on counting
    assert len(raw) == length > 0 and entry.n == first + index, f"entry {index} is not in its place"
    types[EntryType.Name(entry.type) if entry.type in EntryType.values() else entry.type] += 1
    stack.append(hashlib.sha256(b"\0" + raw).digest())
    while index % 2:  # two of one size become one
        stack[-2:], index = [hashlib.sha256(b"\1" + stack[-2] + stack[-1]).digest()], index // 2
while len(stack) > 1: stack[-2:] = [hashlib.sha256(b"\1" + stack[-2] + stack[-1]).digest()]
print(f"{origin}: {size} entries, root {root};", *(f"{count} {name}" for name, count in types.most_common()))
sys.exit(base64.b64decode(root) != (stack or [hashlib.sha256().digest()])[0] and "This is not the root of the entries.")
