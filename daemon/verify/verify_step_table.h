/* SPDX-License-Identifier: Apache-2.0 */
/* STEP(name, what it looks at, what a reader does when it finds a problem): in the order of
 * verify.c. VERIFY.md has a section of each name. Several inclusions are meant. */
STEP(
    files, "what lies in the directory",
    "Nothing of this was checked. Copy the log again with plain files alone, and ask the port what "
    "the rest is.")
STEP(key, "the key that the log is signed with",
     "Take the verifier key from where the port published it, not from the copy, and pass it with "
     "--vkey.")
STEP(checkpoints, "signatures and sequence of the checkpoints",
     "Copy the log again. If it stays, the log was signed by another key, or was taken back: keep "
     "this copy and ask the port.")
STEP(against, "the checkpoints that somebody kept",
     "Keep this copy and the checkpoint: a signed checkpoint that the log does not continue proves "
     "that the log was changed.")
STEP(tree, "every entry, tile and root",
     "Copy the named files again. If it stays, bytes were changed after they were signed: compare "
     "with another copy.")
STEP(entries, "form, order and ids of the entries",
     "The entries are signed as they are: ask the port which version of the daemon wrote them.")
STEP(items, "record, score, decision, referral and outcome of every item",
     "The entries are signed as they are: ask the port how this item was handled.")
STEP(draws, "the random arm",
     "Do not use the random arm of this day for estimates before the port has explained it.")
STEP(settings, "configuration, policy, models in force, operations",
     "Ask the port which policy and models were in use, or when the operation was planned, and "
     "hold them against the log.")
STEP(times, "clock, ticks and silence",
     "Compare the counts with the scanners' own counters for that time.")
STEP(keeping, "access, redaction, discarded payloads, copies, holds, recovery",
     "Ask the port for the request and the legal basis that the entry names.")
STEP(witnesses, "what witnesses have signed",
     "Ask the witnesses themselves what they have seen: their own files hold the last checkpoint "
     "they signed.")
STEP(chain, "the shards, one after the other",
     "Copy the whole log/ again. If it stays, a shard was changed, left out or put in between: "
     "compare with a checkpoint of either that somebody kept.")
STEP(archive, "sealed archive files",
     "Copy the file again. If it stays, the file is not the one that was sealed: ask for it, the "
     "port can build it again from blobs.")
