// SPDX-License-Identifier: Apache-2.0

// Tlog_proof: files of c2sp.org/tlog-proof@v1 that our code made, each with nothing but the entry's bytes and the key:
// transparency-dev/formats reads them, x/mod checks the signature, transparency-dev/merkle the inclusion.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"foreign/logdir"

	"github.com/transparency-dev/formats/log"
	"github.com/transparency-dev/formats/proof"
	merkle "github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"
)

// entry is the record itself, as its holder would have it.
func entry(c *logdir.Case, size uint64, index uint64) ([]byte, error) {
	if index >= size {
		return nil, fmt.Errorf("no entry %d", index)
	}
	width := min(size-index/logdir.Width*logdir.Width, logdir.Width)
	entries, err := c.Bundle(int64(index/logdir.Width), int(width))
	if err != nil {
		return nil, err
	}
	return entries[index%logdir.Width], nil
}

func checkOne(c *logdir.Case, verifier note.Verifier, name string) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	var read proof.TLogProof
	if err := read.Unmarshal(text); err != nil {
		return err
	}
	if !bytes.Equal(read.Marshal(), text) {
		return errors.New("written again, the proof has other bytes")
	}
	index, err := strconv.ParseUint(strings.TrimSuffix(filepath.Base(name), ".tlog-proof"), 10, 64)
	if err != nil || index != read.Index {
		return fmt.Errorf("proof of entry %d in the file of another", read.Index)
	}
	head, _, _, err := log.ParseCheckpoint(read.Checkpoint, verifier.Name(), verifier)
	if err != nil {
		return err
	}
	record, err := entry(c, head.Size, read.Index)
	if err != nil {
		return err
	}
	if read.ExtraData != nil && !bytes.Equal(read.ExtraData, record) {
		return errors.New("the receipt carries another entry")
	}
	var hashes [][]byte
	for _, hash := range read.Hashes {
		hashes = append(hashes, hash[:])
	}
	leaf := rfc6962.DefaultHasher.HashLeaf(record)
	return merkle.VerifyInclusion(rfc6962.DefaultHasher, read.Index, head.Size, leaf, hashes, head.Hash)
}

func check(c *logdir.Case) (count logdir.Count, err error) {
	verifier, err := note.NewVerifier(c.Vkey)
	if err != nil {
		return count, err
	}
	names, err := filepath.Glob(filepath.Join(c.Dir, "tlog", "*.tlog-proof"))
	if err != nil {
		return count, err
	}
	if len(names) == 0 {
		return count, errors.New("no proof can be made")
	}
	receipts, err := filepath.Glob(filepath.Join(c.Dir, "receipts", "*.tlog-proof"))
	if err != nil {
		return count, err
	}
	names = append(names, receipts...)
	for _, name := range names {
		if err := checkOne(c, verifier, name); err != nil {
			return count, fmt.Errorf("%s: %v", filepath.Base(name), err)
		}
		count.Leaves++
		count.Proofs++
	}
	count.Checkpoints = 1
	return count, nil
}

func main() { logdir.Main(check) }
