// SPDX-License-Identifier: Apache-2.0

// Xmod: golang.org/x/mod's note and tlog on a copy of our log: signatures, every tile, every leaf, inclusion of every
// entry, consistency with what was held. With -flips it also turns bits of the copy over, one at a time, as if the
// disk had: every one must be noticed.
package main

import (
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"foreign/logdir"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// tiles is the copy as tlog wants it. Theirs is tile/8/L/N, tlog-tiles leaves the height out.
type tiles struct {
	c *logdir.Case
}

func (t *tiles) Height() int { return 8 }

func (t *tiles) ReadTiles(list []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range list {
		data, err := t.c.Tile(tile.L, tile.N, tile.W)
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}

func (t *tiles) SaveTiles([]tlog.Tile, [][]byte) {}

func open(text []byte, verifier note.Verifier) (tlog.Tree, error) {
	signed, err := note.Open(text, note.VerifierList(verifier))
	if err != nil {
		return tlog.Tree{}, err
	}
	head, err := logdir.ParseHead([]byte(signed.Text + "\n"))
	if err != nil {
		return tlog.Tree{}, err
	}
	if head.Origin != verifier.Name() {
		return tlog.Tree{}, errors.New("origin of another log")
	}
	tree := tlog.Tree{N: head.Size}
	copy(tree.Hash[:], head.Root)
	return tree, nil
}

// leaves gives the leaf hashes out of the tiles, each authenticated by the root.
func leaves(tree tlog.Tree, reader tlog.HashReader) ([]tlog.Hash, error) {
	var all []tlog.Hash
	for first := int64(0); first < tree.N; first += logdir.Width {
		var indexes []int64
		for n := first; n < tree.N && n < first+logdir.Width; n++ {
			indexes = append(indexes, tlog.StoredHashIndex(0, n))
		}
		hashes, err := reader.ReadHashes(indexes)
		if err != nil {
			return nil, err
		}
		all = append(all, hashes...)
	}
	return all, nil
}

// inMemory stores the hashes of the tree of these leaves the way tlog numbers them.
func inMemory(all []tlog.Hash) (tlog.HashReader, error) {
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		var hashes []tlog.Hash
		for _, index := range indexes {
			hashes = append(hashes, stored[index])
		}
		return hashes, nil
	})
	for n, leaf := range all {
		more, err := tlog.StoredHashesForRecordHash(int64(n), leaf, reader)
		if err != nil {
			return nil, err
		}
		stored = append(stored, more...)
	}
	return reader, nil
}

// allTiles reads every tile that a tree of this size has, also those no single proof needs.
func allTiles(tree tlog.Tree, t *tiles, reader tlog.HashReader) error {
	for _, tile := range tlog.NewTiles(8, 0, tree.N) {
		if tile.W < logdir.Width && tile.N*logdir.Width+int64(tile.W) != tree.N>>(8*tile.L) {
			continue // a narrower partial tile: only logs that published at that size have it
		}
		data, err := tlog.ReadTileData(tile, reader)
		if err != nil {
			return err
		}
		ours, err := t.c.Tile(tile.L, tile.N, tile.W)
		if err != nil {
			return err
		}
		if string(ours) != string(data) {
			return fmt.Errorf("tile %d/%d differs", tile.L, tile.N)
		}
	}
	return nil
}

func checkHeld(c *logdir.Case, verifier note.Verifier, tree tlog.Tree, reader tlog.HashReader,
	count *logdir.Count) error {
	for _, text := range c.Held {
		held, err := open(text, verifier)
		if err != nil {
			return fmt.Errorf("held checkpoint: %v", err)
		}
		if held.N > tree.N {
			return fmt.Errorf("rolled back: %d entries, %d were held", tree.N, held.N)
		}
		count.Checkpoints++
		if held.N == 0 {
			continue
		}
		proof, err := tlog.ProveTree(tree.N, held.N, reader)
		if err != nil {
			return err
		}
		if err := tlog.CheckTree(proof, tree.N, tree.Hash, held.N, held.Hash); err != nil {
			return fmt.Errorf("not a continuation of the %d entries held: %v", held.N, err)
		}
		count.Proofs++
	}
	return nil
}

func check(c *logdir.Case) (count logdir.Count, err error) {
	verifier, err := note.NewVerifier(c.Vkey)
	if err != nil {
		return count, err
	}
	text, err := c.Read("checkpoint")
	if err != nil {
		return count, err
	}
	tree, err := open(text, verifier)
	if err != nil {
		return count, err
	}
	if err := checkWitnesses(text, c.Witnesses); err != nil {
		return count, err
	}
	count.Checkpoints++
	if tree.N == 0 { // tlog 0.7.0 has no hash of the empty tree; RFC 6962 section 2.1 gives it
		if tree.Hash.String() != "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=" {
			return count, errors.New("root of the empty tree")
		}
		return count, checkHeld(c, verifier, tree, nil, &count)
	}
	t := &tiles{c}
	authentic, err := leaves(tree, tlog.TileHashReader(tree, t))
	if err != nil {
		return count, err
	}
	entries, err := c.Entries(tree.N)
	if err != nil {
		return count, err
	}
	for n, entry := range entries {
		if tlog.RecordHash(entry) != authentic[n] {
			return count, fmt.Errorf("entry %d is not what the tree holds", n)
		}
		count.Leaves++
	}
	reader, err := inMemory(authentic)
	if err != nil {
		return count, err
	}
	if err := allTiles(tree, t, reader); err != nil {
		return count, err
	}
	for n := int64(0); n < tree.N; n++ {
		proof, err := tlog.ProveRecord(tree.N, n, reader)
		if err == nil {
			err = tlog.CheckRecord(proof, tree.N, tree.Hash, n, tlog.RecordHash(entries[n]))
		}
		if err != nil {
			return count, fmt.Errorf("entry %d: %v", n, err)
		}
		count.Proofs++
	}
	return count, checkHeld(c, verifier, tree, reader, &count)
}

// sameSignature: the last digit of a signature's base64 has bits that mean nothing, and Go's decoder passes over them.
func sameSignature(one, other func(string) ([]byte, error)) bool {
	var decoded [2]string
	for i, read := range []func(string) ([]byte, error){one, other} {
		text, err := read("checkpoint")
		at := strings.LastIndexByte(string(text), ' ')
		if err != nil || at < 0 {
			return false
		}
		blob, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(string(text[at+1:]), "\n"))
		if err != nil {
			return false
		}
		decoded[i] = string(text[:at]) + string(blob)
	}
	return decoded[0] == decoded[1]
}

// flips turns over one bit at a time of the files that make up the newest tree, and wants each rejected.
func flips(dir string, number int, seed int64) error {
	c, err := logdir.Open(dir)
	if err != nil {
		return err
	}
	read := c.Read
	used := map[string]bool{}
	c.Read = func(name string) ([]byte, error) {
		data, err := read(name)
		used[name] = used[name] || err == nil
		return data, err
	}
	if _, err := check(c); err != nil {
		return fmt.Errorf("the whole log: %v", err)
	}
	var names []string
	for name := range used {
		names = append(names, name)
	}
	sort.Strings(names)
	random := rand.New(rand.NewSource(seed))
	done := 0
	one := func(name string, offset int, bit uint) error {
		c.Read = func(wanted string) ([]byte, error) {
			data, err := read(wanted)
			if err == nil && wanted == name {
				data[offset] ^= 1 << bit
			}
			return data, err
		}
		_, err := check(c)
		if err == nil && !(name == "checkpoint" && sameSignature(read, c.Read)) {
			return fmt.Errorf("bit %d of byte %d of %s turned over, and nobody noticed", bit, offset, name)
		}
		if err != nil {
			done++
		}
		return nil
	}
	for _, name := range names {
		data, err := read(name)
		if err != nil {
			return err
		}
		for i := 0; i < number; i++ {
			if err := one(name, random.Intn(len(data)), uint(random.Intn(8))); err != nil {
				return err
			}
		}
	}
	text, err := read("checkpoint")
	if err != nil {
		return err
	}
	for i := range text {
		if err := one("checkpoint", i, 0); err != nil {
			return err
		}
	}
	fmt.Printf("flips: %d bits of %d files, each noticed (seed %d)\n", done, len(names), seed)
	return nil
}

func main() {
	number := flag.Int("flips", 0, "bits to turn over in each file")
	seed := flag.Int64("seed", 1, "of the choice of bits")
	flag.Parse()
	if *number > 0 {
		if err := flips(flag.Arg(0), *number, *seed); err != nil {
			fmt.Println(strings.ReplaceAll(err.Error(), "\n", " "))
			os.Exit(1)
		}
		return
	}
	os.Args = append([]string{filepath.Base(os.Args[0])}, flag.Args()...)
	logdir.Main(check)
}
