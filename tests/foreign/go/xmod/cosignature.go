// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// witness is c2sp.org/tlog-cosignature version 1 for x/mod's notes: type 0x04, a time, an Ed25519 signature.
type witness struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

func (w *witness) Name() string    { return w.name }
func (w *witness) KeyHash() uint32 { return w.hash }

func (w *witness) Verify(text, signature []byte) bool {
	if len(signature) != 8+ed25519.SignatureSize {
		return false
	}
	said := fmt.Sprintf("cosignature/v1\ntime %d\n%s", binary.BigEndian.Uint64(signature), text)
	return ed25519.Verify(w.key, []byte(said), signature[8:])
}

func newWitness(vkey string) (*witness, error) {
	parts := strings.SplitN(vkey, "+", 3)
	if len(parts) != 3 {
		return nil, errors.New("witness: key")
	}
	blob, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(blob) != 1+ed25519.PublicKeySize || blob[0] != 4 {
		return nil, errors.New("witness: key")
	}
	digest := sha256.Sum256(append([]byte(parts[0]+"\n"), blob...))
	hash := binary.BigEndian.Uint32(digest[:])
	if parts[1] != fmt.Sprintf("%08x", hash) {
		return nil, errors.New("witness: key id")
	}
	return &witness{parts[0], hash, blob[1:]}, nil
}

// checkWitnesses wants each of them to have signed this checkpoint.
func checkWitnesses(text []byte, vkeys []string) error {
	for _, vkey := range vkeys {
		w, err := newWitness(vkey)
		if err != nil {
			return err
		}
		if _, err := note.Open(text, note.VerifierList(w)); err != nil {
			return fmt.Errorf("%s: %v", w.name, err)
		}
	}
	return nil
}
