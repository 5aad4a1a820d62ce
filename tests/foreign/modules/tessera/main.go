// SPDX-License-Identifier: Apache-2.0

// Tessera: Tessera's fsck derives every tile and the root again from the entries; its client makes consistency proofs
// with what was held, and transparency-dev/merkle checks them.
package main

import (
	"context"
	"flag"
	"fmt"
	"path/filepath"

	"foreign/logdir"

	"github.com/transparency-dev/formats/log"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/fsck"
	"golang.org/x/mod/sumdb/note"
	"k8s.io/klog/v2"
)

// leafHashes is what Tessera's own fsck command gives to its package.
func leafHashes(bundle []byte) ([][]byte, error) {
	entries := &api.EntryBundle{}
	if err := entries.UnmarshalText(bundle); err != nil {
		return nil, err
	}
	var hashes [][]byte
	for _, entry := range entries.Entries {
		hashes = append(hashes, rfc6962.DefaultHasher.HashLeaf(entry))
	}
	return hashes, nil
}

// workers is a number of them that fsck cannot run out of: with fewer than there are tiles, Tessera 1.0.4 waits for
// ever behind a tile that differs.
func workers(c *logdir.Case) uint {
	text, err := c.Read("checkpoint")
	if err != nil {
		return 1
	}
	head, err := logdir.ParseHead(text)
	if err != nil || head.Size > 1<<20 {
		return 1
	}
	return uint(head.Size/logdir.Width + head.Size/logdir.Width/logdir.Width + 4)
}

// run turns the panic of fsck on a bundle with too few entries into a verdict: it does stop there.
func run(ctx context.Context, origin string, verifier note.Verifier, source fsck.Fetcher,
	number uint) (err error) {
	defer func() {
		if found := recover(); found != nil {
			err = fmt.Errorf("fsck stopped: %v", found)
		}
	}()
	return fsck.New(origin, verifier, source, leafHashes, fsck.Opts{N: number}).Check(ctx)
}

func check(c *logdir.Case) (count logdir.Count, err error) {
	ctx := context.Background()
	verifier, err := note.NewVerifier(c.Vkey)
	if err != nil {
		return count, err
	}
	source := client.FileFetcher{Root: filepath.Join(c.Dir, "log")}
	if err := run(ctx, verifier.Name(), verifier, source, workers(c)); err != nil {
		return count, err
	}
	now, _, _, err := client.FetchCheckpoint(ctx, source.ReadCheckpoint, verifier, verifier.Name())
	if err != nil {
		return count, err
	}
	count.Checkpoints = 1
	count.Leaves = int64(now.Size)
	for _, text := range c.Held {
		held, _, _, err := log.ParseCheckpoint(text, verifier.Name(), verifier)
		if err != nil {
			return count, fmt.Errorf("held checkpoint: %v", err)
		}
		count.Checkpoints++
		var hashes [][]byte
		if held.Size > 0 && held.Size < now.Size {
			builder, err := client.NewProofBuilder(ctx, now.Size, source.ReadTile)
			if err != nil {
				return count, err
			}
			if hashes, err = builder.ConsistencyProof(ctx, held.Size, now.Size); err != nil {
				return count, err
			}
		}
		err = proof.VerifyConsistency(rfc6962.DefaultHasher, held.Size, now.Size, hashes, held.Hash, now.Hash)
		if err != nil {
			return count, fmt.Errorf("the %d entries held: %v", held.Size, err)
		}
		count.Proofs++
	}
	return count, nil
}

func main() {
	flags := flag.NewFlagSet("klog", flag.ContinueOnError) // it would write a line about each log
	klog.InitFlags(flags)
	_ = flags.Parse([]string{"-logtostderr=false", "-stderrthreshold=FATAL"})
	klog.SetOutput(devNull{})
	logdir.Main(check)
}

type devNull struct{}

func (devNull) Write(p []byte) (int, error) { return len(p), nil }
