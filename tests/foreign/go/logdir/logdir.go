// SPDX-License-Identifier: Apache-2.0

// Package logdir reads what a verifier is given: a copy of a public log directory, the key it trusts, and the
// checkpoints it kept from before. It cuts files into pieces and checks nothing: that is the verifiers' part.
//
//	CASE/log         the copy: checkpoint, tile/...
//	CASE/vkey        the key, from somewhere else than the copy
//	CASE/held/*      checkpoints kept from before
//	CASE/witnesses   keys of witnesses that must have signed the copy's checkpoint; mostly there is none
//	CASE/proofs      proofs made by the log's own code (print_proofs.c)
//
// It is built by Go 1.19 as well, without modules.
package logdir

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
)

const Width = 256

// Case is one thing to check. Read gets a file below the copy.
type Case struct {
	Dir  string
	Vkey string
	Held [][]byte
	// keys of witnesses, nil when none are asked for
	Witnesses []string
	Read      func(name string) ([]byte, error)
}

// Head is what the three lines of a checkpoint say.
type Head struct {
	Origin string
	Size   int64
	Root   []byte
}

// Count is what was looked at.
type Count struct {
	Checkpoints, Leaves, Proofs int64
}

func Open(dir string) (*Case, error) {
	c := &Case{Dir: dir}
	vkey, err := os.ReadFile(filepath.Join(dir, "vkey"))
	if err != nil {
		return nil, err
	}
	c.Vkey = strings.TrimSuffix(string(vkey), "\n")
	if witnesses, err := os.ReadFile(filepath.Join(dir, "witnesses")); err == nil {
		c.Witnesses = strings.Fields(string(witnesses))
	}
	names, err := filepath.Glob(filepath.Join(dir, "held", "*"))
	if err != nil {
		return nil, err
	}
	sort.Strings(names)
	for _, name := range names {
		held, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		c.Held = append(c.Held, held)
	}
	c.Read = func(name string) ([]byte, error) { return os.ReadFile(filepath.Join(dir, "log", name)) }
	return c, nil
}

// ParseHead takes the three lines of a checkpoint: x/mod's ParseTree knows the origin of its own log only.
func ParseHead(text []byte) (*Head, error) {
	lines := strings.SplitN(string(text), "\n", 5)
	if len(lines) < 4 || lines[3] != "" {
		return nil, errors.New("checkpoint: not three lines")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 {
		return nil, errors.New("checkpoint: size")
	}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || len(root) != 32 {
		return nil, errors.New("checkpoint: root")
	}
	return &Head{lines[0], size, root}, nil
}

func place(n int64) string {
	name := fmt.Sprintf("%03d", n%1000)
	for n >= 1000 {
		n /= 1000
		name = fmt.Sprintf("x%03d/%s", n%1000, name)
	}
	return name
}

// A partial file, or the full one that took its place.
func (c *Case) either(name string, width int) ([]byte, error) {
	if width < Width {
		data, err := c.Read(fmt.Sprintf("%s.p/%d", name, width))
		if err == nil {
			return data, nil
		}
	}
	return c.Read(name)
}

// Tile gives exactly width hashes.
func (c *Case) Tile(level int, n int64, width int) ([]byte, error) {
	data, err := c.either(fmt.Sprintf("tile/%d/%s", level, place(n)), width)
	if err == nil && len(data) < width*32 {
		err = fmt.Errorf("tile %d/%d is short", level, n)
	}
	if err != nil {
		return nil, err
	}
	return data[:width*32], nil
}

// Bundle gives the first width entries of a bundle.
func (c *Case) Bundle(n int64, width int) ([][]byte, error) {
	data, err := c.either("tile/entries/"+place(n), width)
	if err != nil {
		return nil, err
	}
	var entries [][]byte
	for len(entries) < width {
		if len(data) < 2 || len(data) < 2+int(binary.BigEndian.Uint16(data)) {
			return nil, fmt.Errorf("bundle %d is short", n)
		}
		end := 2 + int(binary.BigEndian.Uint16(data))
		entries = append(entries, data[2:end])
		data = data[end:]
	}
	return entries, nil
}

// Entries gives all of them; a log of a test fits in memory.
func (c *Case) Entries(size int64) ([][]byte, error) {
	var entries [][]byte
	for int64(len(entries)) < size {
		at := int64(len(entries))
		width := int64(Width)
		if size-at < width {
			width = size - at
		}
		bundle, err := c.Bundle(at/Width, int(width))
		if err != nil {
			return nil, err
		}
		entries = append(entries, bundle...)
	}
	return entries, nil
}

// Proof is a record of print_proofs.c: of inclusion of A in a tree of Size, or of consistency of A and Size entries.
type Proof struct {
	Consistency bool
	A, Size     int64
	Hashes      [][]byte
}

func (c *Case) Proofs() ([]Proof, error) {
	data, err := os.ReadFile(filepath.Join(c.Dir, "proofs"))
	if err != nil {
		return nil, fmt.Errorf("no proof can be made: %v", err)
	}
	var proofs []Proof
	for len(data) > 0 {
		if len(data) < 18 || len(data) < 18+32*int(data[17]) {
			return nil, errors.New("proofs are cut short")
		}
		p := Proof{data[0] == 1, int64(binary.LittleEndian.Uint64(data[1:])),
			int64(binary.LittleEndian.Uint64(data[9:])), nil}
		for i := 0; i < int(data[17]); i++ {
			p.Hashes = append(p.Hashes, data[18+32*i:50+32*i])
		}
		proofs = append(proofs, p)
		data = data[18+32*len(p.Hashes):]
	}
	return proofs, nil
}

func oneLine(err error) string {
	text := string(bytes.ReplaceAll([]byte(err.Error()), []byte("\n"), []byte(" ")))
	if len(text) > 160 {
		text = text[:160]
	}
	return text
}

// Main checks every case named on the command line, or in a file given as @FILE, one line each: the driver
// (foreign.py) reads them.
func Main(check func(*Case) (Count, error)) {
	dirs := os.Args[1:]
	if len(dirs) == 1 && strings.HasPrefix(dirs[0], "@") {
		list, err := os.ReadFile(dirs[0][1:])
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		dirs = strings.Fields(string(list))
	}
	for _, dir := range dirs {
		c, err := Open(dir)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		count, err := check(c)
		if err != nil {
			fmt.Printf("%s reject %s\n", dir, oneLine(err))
		} else {
			fmt.Printf("%s accept %d %d %d\n", dir, count.Checkpoints, count.Leaves, count.Proofs)
		}
	}
}
