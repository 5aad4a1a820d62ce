// SPDX-License-Identifier: Apache-2.0

// Ct: the verifier of Google's Certificate Transparency repository on proofs that our code made: inclusion of entries,
// consistency with what was held. It knows no signed notes: roots and sizes are taken from the text.
package main

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"foreign/logdir"
	"github.com/google/certificate-transparency/go/merkletree"
)

func sum(data []byte) []byte {
	digest := sha256.Sum256(data)
	return digest[:]
}

var verifier = merkletree.NewMerkleVerifier(sum)

// heads gives what is claimed now and what was held, by size.
func heads(c *logdir.Case) (*logdir.Head, map[int64]*logdir.Head, error) {
	text, err := c.Read("checkpoint")
	if err != nil {
		return nil, nil, err
	}
	now, err := logdir.ParseHead(text)
	if err != nil {
		return nil, nil, err
	}
	held := map[int64]*logdir.Head{}
	for _, text := range c.Held {
		head, err := logdir.ParseHead(text)
		if err != nil {
			return nil, nil, err
		}
		held[head.Size] = head
	}
	return now, held, nil
}

func check(c *logdir.Case) (count logdir.Count, err error) {
	now, held, err := heads(c)
	if err != nil {
		return count, err
	}
	for _, head := range held { // their verifier says which way round is no continuation
		if head.Size > now.Size {
			return count, verifier.VerifyConsistencyProof(head.Size, now.Size, head.Root, now.Root, nil)
		}
	}
	entries, err := c.Entries(now.Size)
	if err != nil {
		return count, err
	}
	proofs, err := c.Proofs()
	if err != nil {
		return count, err
	}
	count.Checkpoints = 1
	count.Leaves = int64(len(entries))
	for _, proof := range proofs {
		if proof.Consistency {
			head := held[proof.A]
			err = verifier.VerifyConsistencyProof(proof.A, now.Size, head.Root, now.Root, proof.Hashes)
			delete(held, proof.A)
			count.Checkpoints++
		} else {
			// their leaves are counted from 1
			err = verifier.VerifyInclusionProof(proof.A+1, now.Size, proof.Hashes, now.Root, entries[proof.A])
		}
		if err != nil {
			return count, fmt.Errorf("entry or size %d: %v", proof.A, err)
		}
		count.Proofs++
	}
	if len(held) > 0 {
		return count, errors.New("no consistency proof with a held checkpoint")
	}
	if now.Size == 0 && string(now.Root) != string(merkletree.NewTreeHasher(sum).HashEmpty()) {
		return count, errors.New("root of the empty tree")
	}
	if now.Size > 0 && count.Proofs == 0 {
		return count, errors.New("no proof of any entry")
	}
	return count, nil
}

func main() { logdir.Main(check) }
