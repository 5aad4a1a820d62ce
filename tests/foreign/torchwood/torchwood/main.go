// SPDX-License-Identifier: Apache-2.0

// Torchwood: files of c2sp.org/tlog-proof@v1 that our code made, receipts of triagectl among them, by the code of the
// transparency logs that use that form: signature of the log, cosignatures where witnesses are asked for, inclusion.
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

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// policyOf asks for the log's key under its origin, and for every witness that the case names.
func policyOf(c *logdir.Case) (torchwood.Policy, error) {
	verifier, err := note.NewVerifier(c.Vkey)
	if err != nil {
		return nil, err
	}
	all := []torchwood.Policy{torchwood.SingleVerifierPolicy(verifier), torchwood.OriginPolicy(verifier.Name())}
	for _, vkey := range c.Witnesses {
		witness, err := torchwood.NewCosignatureVerifier(vkey)
		if err != nil {
			return nil, err
		}
		all = append(all, torchwood.SingleVerifierPolicy(witness))
	}
	return torchwood.ThresholdPolicy(len(all), all...), nil
}

// record is the entry itself, as its holder would have it.
func record(c *logdir.Case, size, index uint64) ([]byte, error) {
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

func checkOne(c *logdir.Case, policy torchwood.Policy, name string) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	_, signed, found := bytes.Cut(text, []byte("\n\n"))
	if !found {
		return errors.New("no checkpoint in the proof")
	}
	head, err := logdir.ParseHead(signed[:bytes.Index(signed, []byte("\n\n"))+1])
	if err != nil {
		return err
	}
	index, err := strconv.ParseUint(strings.TrimSuffix(filepath.Base(name), ".tlog-proof"), 10, 64)
	if err != nil {
		return err
	}
	entry, err := record(c, uint64(head.Size), index)
	if err != nil {
		return err
	}
	if extra, err := torchwood.ProofExtraData(text); err == nil && !bytes.Equal(extra, entry) {
		return errors.New("the receipt carries another entry")
	}
	return torchwood.VerifyProof(policy, tlog.RecordHash(entry), text)
}

func check(c *logdir.Case) (count logdir.Count, err error) {
	policy, err := policyOf(c)
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
	for _, name := range append(names, receipts...) {
		if err := checkOne(c, policy, name); err != nil {
			return count, fmt.Errorf("%s: %v", filepath.Base(name), err)
		}
		count.Leaves++
		count.Proofs++
	}
	count.Checkpoints = 1
	return count, nil
}

func main() { logdir.Main(check) }
