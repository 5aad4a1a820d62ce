// SPDX-License-Identifier: Apache-2.0
// Sigstore: @sigstore/verify's signed notes and RFC 6962 inclusion on our checkpoints and proofs (print_proofs.c).
// usage: node check_sigstore.js FOLDER_OF_@sigstore/verify @FILE     FILE names the cases, one a line (see go/logdir)
'use strict';
const crypto = require('crypto');
const fs = require('fs');
const path = require('path');

const dist = path.join(process.argv[2], 'dist');
const { verifyCheckpoint } = require(path.join(dist, 'tlog', 'checkpoint.js'));
const { verifyMerkleInclusion } = require(path.join(dist, 'tlog', 'merkle.js'));

// A verifier key as the record of a log that their code looks up.
function logOf(vkey) {
  const [, name, id, blob] = vkey.trimEnd().match(/^([^+]+)\+([0-9a-f]{8})\+(.*)$/);
  const key = Buffer.from(blob, 'base64');
  const spki = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), key.subarray(1)]);
  return { name, baseURL: name, logID: Buffer.from(id, 'hex'),
    publicKey: crypto.createPublicKey({ key: spki, format: 'der', type: 'spki' }) };
}

// 1234067 is x001/x234/067
function number(n, x = '') {
  return (n > 999 ? `${number(Math.floor(n / 1000), 'x')}/` : '') + x + String(n % 1000).padStart(3, '0');
}

function entriesOf(log, size) {
  const entries = [];
  while (entries.length < size) {
    const n = Math.floor(entries.length / 256);
    const width = Math.min(256, size - entries.length);
    const name = path.join(log, 'tile', 'entries', number(n));
    const partial = `${name}.p/${width}`;
    const bundle = fs.readFileSync(width < 256 && fs.existsSync(partial) ? partial : name);
    for (let at = 0, i = 0; i < width; i++) {
      if (at + 2 > bundle.length || at + 2 + bundle.readUInt16BE(at) > bundle.length) throw new Error('bundle is short');
      entries.push(bundle.subarray(at + 2, at + 2 + bundle.readUInt16BE(at)));
      at += 2 + bundle.readUInt16BE(at);
    }
  }
  return entries;
}

function* proofsOf(file) {
  if (!fs.existsSync(file)) throw new Error('no proof can be made');
  const data = fs.readFileSync(file);
  for (let at = 0; at < data.length;) {
    const count = data[at + 17];
    const hashes = [];
    for (let i = 0; i < count; i++) hashes.push(data.subarray(at + 18 + 32 * i, at + 50 + 32 * i));
    yield { consistency: data[at] === 1, index: data.readBigUInt64LE(at + 1), hashes };
    at += 18 + 32 * count;
  }
}

function check(dir) {
  const log = logOf(fs.readFileSync(path.join(dir, 'vkey'), 'utf8'));
  const envelope = fs.readFileSync(path.join(dir, 'log', 'checkpoint'), 'utf8');
  const checkpoint = verifyCheckpoint({ inclusionProof: { checkpoint: { envelope } } }, [log]);
  if (checkpoint.origin !== log.name) throw new Error('origin of another log');
  for (const name of fs.readdirSync(path.join(dir, 'held'))) { // only signatures: it knows no consistency
    const held = fs.readFileSync(path.join(dir, 'held', name), 'utf8');
    verifyCheckpoint({ inclusionProof: { checkpoint: { envelope: held } } }, [log]);
  }
  const entries = entriesOf(path.join(dir, 'log'), Number(checkpoint.logSize));
  let proofs = 0;
  for (const proof of proofsOf(path.join(dir, 'proofs'))) {
    if (proof.consistency) continue;
    verifyMerkleInclusion({ canonicalizedBody: entries[Number(proof.index)],
      inclusionProof: { logIndex: proof.index, hashes: proof.hashes } }, checkpoint);
    proofs++;
  }
  if (entries.length && !proofs) throw new Error('no proof of any entry');
  return `accept ${1 + fs.readdirSync(path.join(dir, 'held')).length} ${entries.length} ${proofs}`;
}

for (const dir of fs.readFileSync(process.argv[3].slice(1), 'utf8').trim().split('\n')) {
  let verdict;
  try {
    verdict = check(dir);
  } catch (error) {
    if (error instanceof TypeError || error instanceof ReferenceError) throw error; // our own mistake, no verdict
    verdict = `reject ${error.message.split('\n')[0]}`;
  }
  console.log(`${dir} ${verdict}`);
}
