/* SPDX-License-Identifier: Apache-2.0 */
/* CONF_TEXT(group, key, default, reloadable, sentence)
 * CONF_INT(group, key, default, min, max, unit, reloadable, sentence)
 * CONF_REAL(group, key, default, min, max, unit, reloadable, sentence)
 * CONF_BOOL(group, key, default, reloadable, sentence)
 * Every key of triaged.conf. This table drives the parser, --print-config, the shipped file and the
 * test that they agree. A relative path is relative to store.directory. Included several times; no
 * guard on purpose. */
CONF_TEXT(site, name, "port", 0, "name of this port of entry; part of the log's origin")
CONF_TEXT(site, organisation, "example", 0, "name of the organisation; part of the log's origin")

CONF_TEXT(store, directory, "/var/lib/triaged", 0,
          "where everything is kept; relative paths below start here")
CONF_TEXT(store, keys, "keys", 0, "directory of keys and allow-lists, made by triagectl keys init")
CONF_TEXT(store, models, "models", 0, "directory of model files")
CONF_INT(store, quarantine_mib, 256, 0, 1048576, "MiB", 0,
         "how much refused input is kept for inspection")

CONF_TEXT(ingest, publisher_endpoint, "tcp://127.0.0.1:5701", 0,
          "where publishers connect (CURVE, allow-list)")
CONF_TEXT(ingest, verdict_endpoint, "tcp://127.0.0.1:5702", 0,
          "where subscribers of verdicts connect; empty for none")
CONF_TEXT(ingest, command_endpoint, "ipc://command.sock", 0,
          "local command socket; an ipc path may be relative to the store")
CONF_INT(ingest, arrivals, 8192, 16, 1048576, "records", 0,
         "records that may be received and not yet answered")
CONF_INT(ingest, payload_mib, 1024, 16, 65536, "MiB", 0,
         "payload that may be received and not yet answered")
CONF_INT(ingest, image_mib, 256, 1, 4096, "MiB", 0, "largest image")
CONF_INT(ingest, credit_records, 4096, 1, 1048576, "records", 0,
         "unanswered records a publisher may have on the way")
CONF_INT(ingest, credit_mib, 256, 1, 65536, "MiB", 0,
         "unanswered payload a publisher may have on the way")
CONF_INT(ingest, remembered, 262144, 64, 16777216, "records", 0,
         "recent records known by digest, so that the same record under a new number is refused")
CONF_INT(ingest, streams, 1024, 1, 65536, "streams", 0,
         "numbered streams of all publishers together")
CONF_INT(ingest, commands, 64, 1, 4096, "commands", 0, "commands that may wait for their answer")
CONF_INT(ingest, verdicts, 8192, 16, 1048576, "verdicts", 0,
         "verdicts that may wait to be sent; the oldest is dropped")

CONF_INT(oversight, segment_mib, 64, 1, 1024, "MiB", 0, "size of a write-ahead log segment")
CONF_TEXT(oversight, mirror, "", 0,
          "directory of a second copy of the write-ahead log, best on another device; empty: none")
CONF_INT(oversight, queue, 16384, 64, 1048576, "entries", 0,
         "entries that may wait for the committer")
CONF_REAL(oversight, checkpoint_s, 1.0, 0.05, 60.0, "s", 0,
          "longest time between two checkpoints while entries come")
CONF_REAL(oversight, unpublished_s, 600.0, 0.0, 86400.0, "s", 0,
          "how long records are taken while checkpoints cannot be written; then the daemon stops")
CONF_REAL(oversight, tick_s, 60.0, 1.0, 3600.0, "s", 0,
          "time between two time.tick entries: silence must differ from removal")
CONF_REAL(oversight, keep_days, 7.0, 0.0, 3650.0, "days", 0,
          "how long a write-ahead log segment is kept that the public log and a pack can replace")
CONF_TEXT(oversight, witness_policy, "", 0,
          "quorum file (C2SP tlog-policy): witnesses, addresses, how many must sign; empty: none")
CONF_REAL(oversight, witness_s, 10.0, 0.05, 3600.0, "s", 0,
          "time between two submissions of checkpoints to witnesses")
CONF_REAL(oversight, witness_timeout_s, 5.0, 0.1, 60.0, "s", 0,
          "how long a witness may take to answer; a start waits for it once")
CONF_REAL(oversight, witness_receipt_s, 3600.0, 1.0, 86400.0, "s", 0,
          "shortest time between two witness.receipt entries of one witness")

CONF_INT(join, items, 65536, 64, 4194304, "items", 0, "items that may be held for data")
CONF_INT(join, held_mib, 256, 1, 65536, "MiB", 0, "record bodies that may be held")
CONF_INT(join, remembered, 262144, 64, 16777216, "items", 0,
         "decided items remembered, so that a late record is known as late")

CONF_BOOL(judge, enabled, 1, 0,
          "score and decide; when off, records are received and kept, and judged after a restart "
          "with it on")
CONF_INT(judge, batch, 64, 1, 1024, "items", 0, "items scored at a time")
CONF_INT(judge, scans, 8, 1, 1024, "scans", 0,
         "scans scored at a time: an officer's command waits for no more than these")
CONF_INT(judge, pixels_mib, 256, 16, 65536, "MiB", 0,
         "pixels loaded at a time; images of one item beyond it are not looked at")
CONF_INT(judge, working_height, 256, 64, 4096, "pixels", 0,
         "images are reduced to about this height before they are scored")
CONF_INT(judge, history_slots, 1048576, 1024, 67108864, "entities", 0,
         "entities and pairs that live history can hold")
CONF_REAL(
    judge, shadow_s, 60.0, 0.0, 86400.0, "s", 0,
    "how long after its decision a model in shadow may still score an item; later it is missed")
CONF_INT(judge, strata, 256, 1, 65536, "strata", 0,
         "sites and modes with a window of recent scores of their own")

CONF_TEXT(policy, file, "policy.conf", 0,
          "policy file; relative to the configuration file's directory")

CONF_BOOL(archive, enabled, 1, 0, "build sealed archive files")
CONF_REAL(archive, interval_s, 3600.0, 1.0, 86400.0, "s", 0,
          "a file is sealed at least this often while entries come")
CONF_INT(archive, file_mib, 1024, 1, 65536, "MiB", 0,
         "a file is sealed when it would hold this much payload")
CONF_INT(archive, file_entries, 200000, 1, 10000000, "entries", 0,
         "a file is sealed when it would hold this many entries")
CONF_INT(archive, deflate_level, 2, 0, 2, "level", 0,
         "compression of archive files by ISA-L; 0 for none")
CONF_INT(archive, threads, 2, 1, 64, "threads", 0,
         "that compress and check archive files, at low priority")

CONF_TEXT(archive, copy, "", 0,
          "directories of second copies of sealed files, with ':' between them; each must exist; "
          "empty: none")
CONF_BOOL(archive, copy_same_device, 0, 0,
          "copies count that lie on the device of the archive; off: such a directory is refused")

CONF_BOOL(retention, discard, 0, 0,
          "discard pixels from blobs/ when a sealed file with a copy in every directory of "
          "archive.copy holds them and their time is over")
CONF_REAL(retention, days, 90.0, 0.0, 36500.0, "days", 0,
          "how long pixels stay in blobs/ after the record, or the end of its referral")
CONF_REAL(retention, found_days, 730.0, 0.0, 36500.0, "days", 0,
          "the same where an exam found something")
CONF_REAL(retention, interval_s, 600.0, 0.1, 86400.0, "s", 0,
          "time between two looks at what is to be copied and discarded")

CONF_TEXT(console, address, "127.0.0.1", 0,
          "address that /metrics, /health and images are served on")
CONF_INT(console, port, 9470, 0, 65535, "port", 0, "its port; 0 lets the system choose")
CONF_INT(console, connections, 32, 1, 1024, "connections", 0, "connections at a time")
CONF_BOOL(
    console, images, 0, 0,
    "serve /images to those who have a token (triagectl keys viewer); needs a loopback address")
CONF_INT(console, image_threads, 2, 1, 16, "threads", 0, "that make images for viewers")
CONF_INT(console, images_max, 8, 1, 256, "images", 0,
         "images being made or sent at a time; one more is told to come again")
CONF_REAL(console, access_s, 3600.0, 0.0, 86400.0, "s", 0,
          "a viewer who sees an image again within this time gets no second access entry")

CONF_TEXT(diag, level, "info", 0, "err, warn, info or debug")
