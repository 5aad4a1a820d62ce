// SPDX-License-Identifier: Apache-2.0

// Cosignature: the same as tests/witness/go/cosignature.go, by the cosignature code of transparency-dev/formats.
//
//	verify LOG-VKEY WITNESS-VKEY... < note     prints the names and times of the cosignatures that verify
//	sign NAME SEED-HEX < note                  prints a verifier key and a cosignature line
package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strings"

	fnote "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// plain is the same key as an Ed25519 note key, which is what this library takes cosigners by.
func plain(vkey string) string {
	parts := strings.SplitN(vkey, "+", 3)
	raw := must(base64.StdEncoding.DecodeString(parts[2]))
	return must(note.NewEd25519VerifierKey(parts[0], raw[1:]))
}

func main() {
	text := must(io.ReadAll(os.Stdin))
	if os.Args[1] == "sign" {
		name, seed := os.Args[2], must(hex.DecodeString(os.Args[3]))
		public := ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
		verifier := must(note.NewVerifier(must(note.NewEd25519VerifierKey(name, public))))
		skey := fmt.Sprintf("PRIVATE+KEY+%s+%08x+%s", name, verifier.KeyHash(), base64.StdEncoding.EncodeToString(append([]byte{1}, seed...)))
		signer := must(fnote.NewSignerForCosignatureV1(skey))
		body := text[:bytes.Index(text, []byte("\n\n"))+1]
		signed := must(note.Sign(&note.Note{Text: string(body)}, signer))
		fmt.Printf("%s+%08x+%s\n", name, signer.KeyHash(), base64.StdEncoding.EncodeToString(append([]byte{4}, public...)))
		fmt.Print(string(signed[len(body)+1:]))
		return
	}
	known := []note.Verifier{must(note.NewVerifier(os.Args[2]))}
	for _, vkey := range os.Args[3:] {
		known = append(known, must(fnote.NewVerifierForCosignatureV1(plain(vkey))))
	}
	opened, err := note.Open(text, note.VerifierList(known...))
	if err != nil {
		fmt.Println("reject", err)
		os.Exit(1)
	}
	for _, sig := range opened.Sigs {
		if raw := must(base64.StdEncoding.DecodeString(sig.Base64)); len(raw) == 76 {
			fmt.Println(sig.Name, must(fnote.CoSigV1Timestamp(sig)).Unix())
		}
	}
}
