// SPDX-License-Identifier: Apache-2.0

// Nebulous: NebulousLabs/merkletree builds the tree again from the raw entries, compares its root with the one in the
// checkpoint and with those that were held, and checks our proofs of inclusion. It knows no signed notes.
package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"

	"foreign/logdir"
	"github.com/NebulousLabs/merkletree"
)

// roots gives the root at every size that is asked for.
func roots(entries [][]byte, wanted map[int64][]byte) error {
	tree := merkletree.New(sha256.New())
	for n := int64(0); ; n++ {
		if expected, ok := wanted[n]; ok {
			root := tree.Root()
			if n == 0 { // theirs is nil; RFC 6962 section 2.1 gives SHA-256 of nothing
				empty := sha256.Sum256(nil)
				root = empty[:]
			}
			if !bytes.Equal(root, expected) {
				return fmt.Errorf("root of %d entries is not the one in the checkpoint", n)
			}
		}
		delete(wanted, n)
		if n == int64(len(entries)) {
			break
		}
		tree.Push(entries[n])
	}
	for size := range wanted {
		return fmt.Errorf("%d entries were held, here are %d", size, len(entries))
	}
	return nil
}

func check(c *logdir.Case) (count logdir.Count, err error) {
	text, err := c.Read("checkpoint")
	if err != nil {
		return count, err
	}
	now, err := logdir.ParseHead(text)
	if err != nil {
		return count, err
	}
	wanted := map[int64][]byte{now.Size: now.Root}
	for _, text := range c.Held {
		head, err := logdir.ParseHead(text)
		if err != nil {
			return count, err
		}
		if root, ok := wanted[head.Size]; ok && !bytes.Equal(root, head.Root) {
			return count, fmt.Errorf("two roots of %d entries", head.Size)
		}
		wanted[head.Size] = head.Root
	}
	count.Checkpoints = int64(len(wanted))
	entries, err := c.Entries(now.Size)
	if err != nil {
		return count, err
	}
	if err := roots(entries, wanted); err != nil {
		return count, err
	}
	count.Leaves = now.Size
	proofs, err := c.Proofs()
	if err != nil {
		return count, err
	}
	for _, proof := range proofs {
		if proof.Consistency {
			continue // it has none
		}
		set := append([][]byte{entries[proof.A]}, proof.Hashes...)
		if !merkletree.VerifyProof(sha256.New(), now.Root, set, uint64(proof.A), uint64(now.Size)) {
			return count, fmt.Errorf("entry %d: proof does not lead to the root", proof.A)
		}
		count.Proofs++
	}
	if now.Size > 0 && count.Proofs == 0 {
		return count, errors.New("no proof of any entry")
	}
	return count, nil
}

func main() { logdir.Main(check) }
