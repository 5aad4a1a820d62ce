// SPDX-License-Identifier: Apache-2.0

// Cosignature: golang.org/x/mod's signed notes with signers and verifiers of tlog-cosignature/v1, written from the
// specification alone.
//
//	verify LOG-VKEY WITNESS-VKEY... < note     prints the names and times of the cosignatures that verify
//	sign NAME SEED-HEX < note                  prints a verifier key and a cosignature line
package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
)

type witness struct {
	name string
	id   uint32
	key  ed25519.PublicKey
	seed ed25519.PrivateKey
}

func message(text []byte, seconds uint64) []byte {
	return append([]byte(fmt.Sprintf("cosignature/v1\ntime %d\n", seconds)), text...)
}

func (w *witness) Name() string    { return w.name }
func (w *witness) KeyHash() uint32 { return w.id }
func (w *witness) Verify(text, sig []byte) bool {
	return len(sig) == 72 && ed25519.Verify(w.key, message(text, binary.BigEndian.Uint64(sig)), sig[8:])
}
func (w *witness) Sign(text []byte) ([]byte, error) {
	seconds := uint64(time.Now().Unix())
	sig := binary.BigEndian.AppendUint64(nil, seconds)
	return append(sig, ed25519.Sign(w.seed, message(text, seconds))...), nil
}

func identify(name string, key ed25519.PublicKey) uint32 {
	sum := sha256.Sum256(append([]byte(name+"\n\x04"), key...))
	return binary.BigEndian.Uint32(sum[:])
}

func parse(vkey string) *witness {
	parts := strings.SplitN(vkey, "+", 3)
	raw, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(raw) != 33 || raw[0] != 4 {
		panic("not the key of a witness: " + vkey)
	}
	w := &witness{name: parts[0], key: raw[1:], id: identify(parts[0], raw[1:])}
	if fmt.Sprintf("%08x", w.id) != parts[1] {
		panic("key id: " + vkey)
	}
	return w
}

func main() {
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		panic(err)
	}
	if os.Args[1] == "sign" {
		seed, err := hex.DecodeString(os.Args[3])
		if err != nil {
			panic(err)
		}
		private := ed25519.NewKeyFromSeed(seed)
		public := private.Public().(ed25519.PublicKey)
		w := &witness{name: os.Args[2], seed: private, key: public, id: identify(os.Args[2], public)}
		body := text[:bytes.Index(text, []byte("\n\n"))+1]
		signed, err := note.Sign(&note.Note{Text: string(body)}, w)
		if err != nil {
			panic(err)
		}
		fmt.Printf("%s+%08x+%s\n", w.name, w.id, base64.StdEncoding.EncodeToString(append([]byte{4}, public...)))
		fmt.Print(string(signed[len(body)+1:]))
		return
	}
	log, err := note.NewVerifier(os.Args[2])
	if err != nil {
		panic(err)
	}
	known := []note.Verifier{log}
	for _, vkey := range os.Args[3:] {
		known = append(known, parse(vkey))
	}
	opened, err := note.Open(text, note.VerifierList(known...))
	if err != nil {
		fmt.Println("reject", err)
		os.Exit(1)
	}
	for _, sig := range opened.Sigs {
		raw, _ := base64.StdEncoding.DecodeString(sig.Base64)
		if len(raw) == 76 {
			fmt.Println(sig.Name, binary.BigEndian.Uint64(raw[4:]))
		}
	}
}
